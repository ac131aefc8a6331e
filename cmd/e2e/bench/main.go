// Command bench measures the stick engine beside what people would do by hand,
// in one run on one machine, and prints the ratios as a table: absolute times
// say more about the machine than about the program.
//
// The image is a sample of 1.07 GB in 20,000 files, LZX-packed. By hand means
// mkntfs and one wimlib-imagex apply per stick, all of them at the same time.
// Sticks are loop devices over files in memory (loop.go); those that are held to
// a rate are so by the kernel, whoever writes. Each round runs every contender
// once, so that a disturbance hits both sides; with several rounds the spread
// shows how far a ratio can be trusted. Nothing here passes or fails.
//
// What it needs: root, for loop devices and their throttle; the packages of
// `make test`; 4 GB in the work folder, and 20 GB of memory for the sticks. With
// -etcher also npm, a C++ compiler and Python: etcher-sdk is installed into a
// temporary folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

type config struct {
	dir     string // for the image, masters and volumes; "" for a temporary one
	targets string // for the sticks
	rounds  int
	sticks  int
	rate    int64 // MiB/s of a stick that is held to one
	only    string
	sdk     bool   // etcher-sdk is measured, too
	press   string // image of a process that presses in memory
}

func main() {
	var c config
	flag.StringVar(&c.dir, "dir", "", "work folder; an image in it is used again (default: a new one, removed at the end)")
	flag.StringVar(&c.targets, "targets", "/dev/shm", "folder for the sticks, in memory at best")
	flag.IntVar(&c.rounds, "rounds", 3, "how often everything is measured")
	flag.IntVar(&c.sticks, "sticks", 8, "sticks pressed at the same time")
	flag.Int64Var(&c.rate, "rate", 40, "MiB/s, written and read each, of the sticks that are held to a rate")
	flag.StringVar(&c.only, "only", "prepare,image,raw,memory", "parts of the table")
	flag.BoolVar(&c.sdk, "etcher", false, "install etcher-sdk with npm and measure it, too")
	flag.StringVar(&c.press, "memory", "", "internal: press 16 sticks of this small image and print the peak memory")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config) error {
	targets, err := os.MkdirTemp(c.targets, "stickpress-bench-")
	if err != nil {
		return fmt.Errorf("folder for the sticks: %w", err)
	}
	defer os.RemoveAll(targets)
	if c.press != "" {
		return pressInMemory(ctx, c.press, targets)
	}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "stickpress-bench-"); err != nil {
			return fmt.Errorf("work folder: %w", err)
		}
		defer os.RemoveAll(c.dir)
	}
	b := bench{config: c, targets: targets}
	if c.sdk {
		dir, err := os.MkdirTemp("", "stickpress-bench-etcher-")
		if err != nil {
			return fmt.Errorf("folder for etcher-sdk: %w", err)
		}
		defer os.RemoveAll(dir)
		if b.etcher, err = installEtcher(ctx, dir); err != nil {
			return err
		}
	}
	if err := b.makeImages(ctx); err != nil {
		return err
	}
	defer func() { b.table.print(os.Stdout) }()
	for i := range c.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, c.rounds)
		for _, part := range []struct {
			name string
			run  func(context.Context) error
		}{
			{"prepare", b.preparing}, {"image", b.prepared}, {"raw", b.copies}, {"memory", b.memory},
		} {
			if !strings.Contains(c.only, part.name) {
				continue
			}
			if err := part.run(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

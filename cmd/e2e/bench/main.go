// Command bench measures the stick engine beside what people would do by hand,
// in one run on one machine, and prints the ratios as a table: absolute times
// say more about the machine than about the program.
//
// The image is a sample of 1.07 GB in 20,000 files, LZX-packed. By hand means
// mkntfs and one wimlib-imagex apply per stick, all of them at the same time.
// Each round runs every contender once, so that a disturbance hits both sides;
// with several rounds the spread shows how far a ratio can be trusted. Nothing
// here passes or fails.
//
// What it needs: the packages of `make test`, 4 GB in the work folder, and room
// for the sticks' content in the folder of targets, which ought to be in memory:
// on one slow disk all that is measured is that disk.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

type config struct {
	dir     string // for the image, masters and volumes; "" for a temporary one
	targets string // for the sticks
	rounds  int
	sticks  int
}

func main() {
	var c config
	flag.StringVar(&c.dir, "dir", "", "work folder; an image in it is used again (default: a new one, removed at the end)")
	flag.StringVar(&c.targets, "targets", "/dev/shm", "folder for the sticks, in memory at best")
	flag.IntVar(&c.rounds, "rounds", 3, "how often everything is measured")
	flag.IntVar(&c.sticks, "sticks", 8, "sticks pressed at the same time")
	memory := flag.String("memory", "", "internal: press 16 sticks of this small image and print the peak memory")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, c, *memory)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config, memory string) error {
	targets, err := os.MkdirTemp(c.targets, "stickpress-bench-")
	if err != nil {
		return fmt.Errorf("folder for the sticks: %w", err)
	}
	defer os.RemoveAll(targets)
	if memory != "" {
		return pressInMemory(ctx, memory, targets)
	}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "stickpress-bench-"); err != nil {
			return fmt.Errorf("work folder: %w", err)
		}
		defer os.RemoveAll(c.dir)
	}
	b := bench{config: c, targets: targets}
	if err := b.makeImages(ctx); err != nil {
		return err
	}
	var rounds []round
	for i := range c.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, c.rounds)
		r, err := b.round(ctx, filepath.Join(c.dir, "round"))
		if err != nil {
			return err
		}
		rounds = append(rounds, r)
	}
	peak, err := b.peakMemory(ctx)
	if err != nil {
		return err
	}
	printTable(os.Stdout, rounds, c.sticks, peak)
	return nil
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/stick"
)

// memory is the row about memory: ours prepares a small image and presses 16
// sticks, etcher-sdk writes a raw image to as many.
func (b *bench) memory(ctx context.Context) error {
	ours, err := b.peakMemory(ctx)
	if err != nil {
		return err
	}
	theirs, beside := 320e6, "the aim"
	if b.etcher != nil && canLimit() == "" {
		beside = "etcher-sdk, 256 MiB raw"
		peak, err := b.etcher.peak(ctx, b, memorySticks)
		if err != nil {
			return err
		}
		theirs = float64(peak)
	}
	b.table.add(fmt.Sprintf("prepare, press %d sticks", memorySticks), beside, "peak memory", "≤ 320 MB, < 1", float64(ours)/1e6, theirs/1e6, "MB", false)
	return nil
}

// peakMemory presses 16 sticks in a process of its own.
func (b *bench) peakMemory(ctx context.Context) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "-memory", b.small, "-targets", b.targets)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("press %d sticks: %w", memorySticks, err)
	}
	return strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
}

// pressInMemory is that process: preparation included.
func pressInMemory(ctx context.Context, image, targets string) error {
	m, err := stick.Prepare(ctx, filepath.Join(targets, "masters"), spec(image), nil)
	if err != nil {
		return err
	}
	defer m.Close()
	var devices []stick.Device
	defer func() { closeAll(devices) }()
	for i := range memorySticks {
		path := filepath.Join(targets, fmt.Sprint("stick", i, ".img"))
		if err := sparse(path, stickBytes); err != nil {
			return err
		}
		d, err := stick.OpenFile(path, 512)
		if err != nil {
			return err
		}
		devices = append(devices, d)
	}
	if err := pressDevices(ctx, m, devices); err != nil {
		return err
	}
	peak, err := peakResident()
	fmt.Println(peak)
	return err
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

const (
	rawBytes = 256 * mib
	// rawStick has room for what the engine keeps at a device's end.
	rawStick = 1 * gib
)

// makeRaw makes a disk image that cannot be packed and has no partition table.
func makeRaw(path string) error {
	if info, err := os.Stat(path); err == nil && info.Size() == rawBytes {
		return nil
	}
	noise := rand.NewChaCha8([32]byte{1})
	data := make([]byte, rawBytes)
	_, _ = noise.Read(data)
	data[510], data[511] = 0, 0
	return os.WriteFile(path, data, 0o600)
}

// ends is when the sticks of one run were done, from its beginning.
type ends struct {
	cost
	written time.Duration   // the last one
	wrote   []time.Duration // each; of ours alone
	done    []time.Duration // each, verified; of etcher-sdk the last one
}

// copies are the rows about a raw image, each stick held to a rate.
func (b *bench) copies(ctx context.Context) error {
	if why := canLimit(); why != "" {
		b.table.missing("a raw image", why)
		return nil
	}
	rates := slices.Repeat([]int64{b.rate * mib}, b.sticks)
	ours, err := b.rawRun(ctx, rates, b.pressRaw)
	if err != nil {
		return err
	}
	hand, err := b.rawRun(ctx, rates, b.copyRaw)
	if err != nil {
		return err
	}
	work := fmt.Sprintf("%d × 256 MiB raw, verified, %d MiB/s each", b.sticks, b.rate)
	const byHand = "parallel dd, then dd and sha256sum"
	limit := float64(rawBytes) / float64(b.rate*mib)
	cpu := func(e ends) float64 { return e.cpu.Seconds() / (rawBytes * float64(b.sticks) / gib) }
	b.table.add(work, byHand, "wall", "", ours.wall.Seconds(), hand.wall.Seconds(), "s", false)
	b.table.add(work, byHand, "CPU per GiB", "< 1", cpu(ours), cpu(hand), "s", false)
	b.table.add(work, "the bytes ÷ the rate", "writing", "≤ 1.02", ours.written.Seconds(), limit, "s", false)
	b.table.add("the same by dd", "the bytes ÷ the rate", "writing", "", hand.written.Seconds(), limit, "s", false)
	rates[len(rates)-1] = b.rate * mib / 4
	mixed, err := b.rawRun(ctx, rates, b.pressRaw)
	if err != nil {
		return err
	}
	slow := fmt.Sprintf("%d sticks at %d MiB/s and one at %d, the fast ones", b.sticks-1, b.rate, b.rate/4)
	fast := slices.Max(mixed.done[:len(mixed.done)-1]).Seconds()
	b.table.add(slow, "the bytes ÷ the rate", "wall", "", fast, limit, "s", false)
	if b.etcher == nil {
		b.table.missing("etcher-sdk", "was not asked for: -etcher")
		return nil
	}
	const sdk = "etcher-sdk"
	theirMixed, err := b.rawRun(ctx, rates, b.etcher.write(b.raw))
	if err != nil {
		return err
	}
	rates[len(rates)-1] = b.rate * mib
	theirs, err := b.rawRun(ctx, rates, b.etcher.write(b.raw))
	if err != nil {
		return err
	}
	b.table.add(work, sdk, "wall", "≤ 1.0", ours.wall.Seconds(), theirs.done[0].Seconds(), "s", false)
	b.table.add(work, sdk, "CPU per GiB", "< 1", cpu(ours), cpu(theirs), "s", false)
	wrote := slices.Max(mixed.wrote[:len(mixed.wrote)-1]).Seconds()
	b.table.add(slow, sdk, "writing", "≤ 0.30", wrote, theirMixed.written.Seconds(), "s", false)
	b.table.add(slow, sdk, "wall", "", fast, theirMixed.done[0].Seconds(), "s", false)
	return nil
}

// rawRun measures work on empty sticks held to the rates.
func (b *bench) rawRun(ctx context.Context, rates []int64, work func(context.Context, loops) (ends, error)) (e ends, err error) {
	all, err := attach(ctx, b.targets, len(rates), rawStick)
	if err != nil {
		return e, err
	}
	for i, l := range all {
		err = errors.Join(err, l.limit(rates[i]))
	}
	if err == nil {
		var c cost
		c, err = measure(func() error {
			e, err = work(ctx, all)
			return err
		})
		e.cost = c
	}
	for _, l := range all {
		err = errors.Join(err, l.limit(0))
	}
	if err == nil {
		err = each(all, func(l loop) error { return same(ctx, b.raw, l.node) })
	}
	return e, errors.Join(err, all.detach(), empty(b.targets))
}

// same fails unless a stick begins with the image: whoever wrote it.
func same(ctx context.Context, image, node string) error {
	if out, err := exec.CommandContext(ctx, "cmp", "--bytes", fmt.Sprint(rawBytes), image, node).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func (b *bench) pressRaw(ctx context.Context, all loops) (e ends, err error) {
	begun := time.Now()
	raw, err := stick.OpenRaw(stick.RawSpec{Path: b.raw, SHA256: "bench", Format: protocol.FormatRaw, DiskBytes: rawBytes})
	if err != nil {
		return e, err
	}
	devices, err := openLoops(ctx, all)
	if err != nil {
		return e, errors.Join(err, raw.Close())
	}
	defer closeAll(devices)
	e.done = make([]time.Duration, len(all))
	var targets []stick.Target
	for i, d := range devices {
		targets = append(targets, stick.Target{
			Device: d, Context: ctx, Report: silent{}, Ended: func(stick.Outcome) { e.done[i] = time.Since(begun) },
		})
	}
	for _, o := range stick.Press(ctx, raw, targets) {
		err = errors.Join(err, o.Err)
		wrote := time.Duration(o.Result.WriteMS) * time.Millisecond
		e.written, e.wrote = max(e.written, wrote), append(e.wrote, wrote)
	}
	return e, errors.Join(err, raw.Close())
}

// copyRaw is the same by hand.
func (b *bench) copyRaw(ctx context.Context, all loops) (e ends, err error) {
	begun := time.Now()
	var mu sync.Mutex
	err = each(all, func(l loop) error {
		if err := dd(ctx, "if="+b.raw, "of="+l.node, "bs=4M", "oflag=direct", "conv=fsync"); err != nil {
			return err
		}
		mu.Lock()
		e.written = time.Since(begun)
		mu.Unlock()
		return exec.CommandContext(ctx, "sh", "-c", `dd if="$1" bs=4M iflag=direct count=64 status=none | sha256sum`, "sh", l.node).Run()
	})
	return e, err
}

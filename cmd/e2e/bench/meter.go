package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cost is what a piece of work took: time on the wall, and processor seconds
// of this program, of all that it started and waited for, and of the kernel
// on their behalf.
type cost struct{ wall, cpu time.Duration }

func (c cost) plus(d cost) cost { return cost{c.wall + d.wall, c.cpu + d.cpu} }

// measure runs work after everything that was written before has reached the
// disk, so that no one pays for another's pages.
func measure(work func() error) (cost, error) {
	unix.Sync()
	cpu, begun := processor(), time.Now()
	err := work()
	return cost{time.Since(begun), processor() - cpu}, err
}

func processor() time.Duration {
	var sum int64
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if err := unix.Getrusage(who, &u); err != nil {
			panic(err) // the arguments are constants
		}
		sum += u.Utime.Nano() + u.Stime.Nano()
	}
	return time.Duration(sum)
}

// peakResident is the most memory that this process had at any moment, in
// bytes. getrusage would tell its parent's, if that was larger: the kernel
// hands the number on at exec.
func peakResident() (int64, error) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("peak memory: %w", err)
	}
	_, rest, _ := bytes.Cut(raw, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("peak memory: no VmHWM in /proc/self/status")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("peak memory: %w", err)
	}
	return kib << 10, nil
}

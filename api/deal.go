package api

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Free reports whether the device may be chosen for a kind of job.
func (d *Device) Free(k protocol.JobKind) bool {
	return d.JobID == "" && !d.Busy && d.Refusal(k) == nil
}

// Deal gives each of some rows that has no stick the next free one, in the order
// of the free ones. Those that need care (NeedsCare) are dealt only where there are
// too few others. held are the sticks that the rows have, the zero Identity for
// none; one that is not free is taken away from its row. A row for which there is
// no stick is left without one.
func Deal(free []Device, held []protocol.Identity) []protocol.Identity {
	var none protocol.Identity
	there, taken := map[protocol.Identity]bool{}, map[protocol.Identity]bool{}
	for _, d := range free {
		there[d.Identity] = true
	}
	out := slices.Clone(held)
	for i, id := range out {
		if !there[id] {
			out[i] = none
			continue
		}
		taken[id] = true
	}
	var without []int
	for i := range out {
		if out[i] == none {
			without = append(without, i)
		}
	}
	left := slices.DeleteFunc(slices.Clone(free), func(d Device) bool { return taken[d.Identity] })
	spare := len(left) - len(without)
	left = slices.DeleteFunc(left, func(d Device) bool {
		if spare <= 0 || !d.NeedsCare() {
			return false
		}
		spare--
		return true
	})
	for n, i := range without {
		if n < len(left) {
			out[i] = left[n].Identity
		}
	}
	return out
}

// InOrder sorts devices as they stand on the port map: by the numbers that were
// taught, then by the kernel's names.
func InOrder(devices []Device, ports []HostPort) []Device {
	place := make(map[string]int, len(ports))
	for i, at := range ports {
		place[at.Socket] = i + 1
	}
	at := func(d Device) int {
		if n := place[d.Socket]; n > 0 {
			return n
		}
		return len(ports) + 1
	}
	sorted := slices.Clone(devices)
	slices.SortStableFunc(sorted, func(a, b Device) int {
		return cmp.Or(cmp.Compare(at(a), at(b)), comparePorts(a.Port, b.Port), cmp.Compare(a.LUN, b.LUN))
	})
	return sorted
}

// comparePorts compares "1-2.10" and "1-2.9" by their numbers.
func comparePorts(a, b string) int {
	for a != "" && b != "" {
		x, restA, numberA := leading(a)
		y, restB, numberB := leading(b)
		if numberA && numberB {
			if c := cmp.Compare(x, y); c != 0 {
				return c
			}
			a, b = restA, restB
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// leading takes the number that a text begins with.
func leading(s string) (n int, rest string, ok bool) {
	end := 0
	for end < len(s) && end < 9 && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	return n, s[end:], err == nil
}

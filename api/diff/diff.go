// Package diff compares two texts line by line, for eyes: side by side (Lines),
// or as diff -u writes it (Unified).
package diff

import (
	"slices"
	"strings"
)

// Row is one line of two texts side by side. A line that only one of them
// has is 0 in the other.
type Row struct {
	OldNo  int    `json:"old_number"` // from 1
	NewNo  int    `json:"new_number"` // from 1
	Old    string `json:"old"`
	New    string `json:"new"`
	Same   bool   `json:"same"`
	Folded int    `json:"folded,omitempty"` // this row stands for so many equal lines that are not shown
}

const (
	// around is how many equal lines are shown around a change.
	around = 3
	// most is how many changed lines are looked for before the texts are
	// taken for two that have nothing to do with each other.
	most = 1000
)

// Lines compares two texts line by line (E. W. Myers, "An O(ND) Difference
// Algorithm", 1986) and folds what is equal. It is nil if they are equal; how lines end does not matter.
func Lines(before, after string) []Row {
	rows := pair(edits(split(before), split(after)))
	if !slices.ContainsFunc(rows, func(r Row) bool { return !r.Same }) {
		return nil
	}
	return fold(rows)
}

func split(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// edits lists the lines of both in one order: an equal line once, a removed one
// with Old alone, an added one with New alone.
func edits(a, b []string) []Row {
	var trace [][]int
	limit := min(len(a)+len(b), most)
	v := make([]int, 2*limit+3)
	at := func(k int) int { return k + limit + 1 }
	for d := 0; d <= limit; d++ {
		trace = append(trace, append([]int(nil), v...))
		for k := -d; k <= d; k += 2 {
			x := v[at(k-1)] + 1
			if k == -d || k != d && v[at(k-1)] < v[at(k+1)] {
				x = v[at(k+1)]
			}
			for x < len(a) && x-k < len(b) && x-k >= 0 && a[x] == b[x-k] {
				x++
			}
			v[at(k)] = x
			if x >= len(a) && x-k >= len(b) {
				return walk(trace, at, a, b)
			}
		}
	}
	var all []Row
	for i, line := range a {
		all = append(all, Row{OldNo: i + 1, Old: line})
	}
	for i, line := range b {
		all = append(all, Row{NewNo: i + 1, New: line})
	}
	return all
}

// walk follows the trace from the end back to the beginning.
func walk(trace [][]int, at func(int) int, a, b []string) []Row {
	var all []Row
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		v, k := trace[d], x-y
		from := k - 1
		if k == -d || k != d && v[at(k-1)] < v[at(k+1)] {
			from = k + 1
		}
		px := v[at(from)]
		py := px - from
		if d == 0 {
			px, py = 0, 0
		}
		for x > px && y > py {
			x, y = x-1, y-1
			all = append(all, Row{OldNo: x + 1, NewNo: y + 1, Old: a[x], New: b[y], Same: true})
		}
		switch {
		case d == 0:
		case from == k+1:
			y--
			all = append(all, Row{NewNo: y + 1, New: b[y]})
		default:
			x--
			all = append(all, Row{OldNo: x + 1, Old: a[x]})
		}
	}
	slices.Reverse(all)
	return all
}

// pair puts removed lines beside those that came in their place.
func pair(rows []Row) []Row {
	var all []Row
	for i := 0; i < len(rows); {
		if rows[i].Same {
			all = append(all, rows[i])
			i++
			continue
		}
		var old, fresh []Row
		for ; i < len(rows) && !rows[i].Same; i++ {
			if rows[i].OldNo > 0 {
				old = append(old, rows[i])
			} else {
				fresh = append(fresh, rows[i])
			}
		}
		for j := range max(len(old), len(fresh)) {
			var r Row
			if j < len(old) {
				r.OldNo, r.Old = old[j].OldNo, old[j].Old
			}
			if j < len(fresh) {
				r.NewNo, r.New = fresh[j].NewNo, fresh[j].New
			}
			all = append(all, r)
		}
	}
	return all
}

// fold leaves around equal lines around each change.
func fold(rows []Row) []Row {
	near := make([]bool, len(rows))
	for i, r := range rows {
		if !r.Same {
			for j := max(0, i-around); j <= min(len(rows)-1, i+around); j++ {
				near[j] = true
			}
		}
	}
	var all []Row
	for i := 0; i < len(rows); {
		end := i
		for end < len(rows) && !near[end] {
			end++
		}
		switch {
		case end-i > 1:
			all = append(all, Row{Same: true, Folded: end - i})
			i = end
		default:
			all = append(all, rows[i])
			i++
		}
	}
	return all
}

package main

import (
	"fmt"
	"io"
	"slices"
)

// table collects the figures of all rounds.
type table struct {
	rows []*row
	gaps []string
}

// row is one comparison. A ratio is taken within a round.
type row struct {
	work, beside, what, aim, unit string
	inverse                       bool // times as fast, rather than times as costly
	ours, theirs                  []float64
}

// add adds a round to a row.
func (t *table) add(work, beside, what, aim string, ours, theirs float64, unit string, inverse bool) {
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.work == work && r.beside == beside && r.what == what })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, &row{work: work, beside: beside, what: what, aim: aim, unit: unit, inverse: inverse})
	}
	t.rows[i].ours, t.rows[i].theirs = append(t.rows[i].ours, ours), append(t.rows[i].theirs, theirs)
}

// costs adds a round of wall and processor time.
func (t *table) costs(work, beside, aim string, ours, theirs cost, inverse bool) {
	t.add(work, beside, "wall", aim, ours.wall.Seconds(), theirs.wall.Seconds(), "s", inverse)
	t.add(work, beside, "CPU", aim, ours.cpu.Seconds(), theirs.cpu.Seconds(), "s", inverse)
}

// missing says what is not in the table, and why.
func (t *table) missing(what, why string) {
	if line := fmt.Sprintf("Not measured: %s (%s).", what, why); !slices.Contains(t.gaps, line) {
		t.gaps = append(t.gaps, line)
	}
}

// print writes Markdown: the middle ratio and, in brackets, the least and the
// greatest; the measured values are each contender's own middle, so that they
// need not give the same ratio.
func (t *table) print(w io.Writer) {
	fmt.Fprintln(w, "| work | beside | what | ratio | aim | ours | theirs |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, r := range t.rows {
		ratios := make([]float64, len(r.ours))
		for i := range r.ours {
			ratios[i] = r.ours[i] / r.theirs[i]
			if r.inverse {
				ratios[i] = 1 / ratios[i]
			}
		}
		slices.Sort(ratios)
		fmt.Fprintf(w, "| %s | %s | %s | %.2f × (%.2f–%.2f)%s | %s | %.2f %s | %.2f %s |\n", r.work, r.beside, r.what,
			middle(ratios), ratios[0], ratios[len(ratios)-1], map[bool]string{true: " as fast"}[r.inverse], r.aim,
			middle(r.ours), r.unit, middle(r.theirs), r.unit)
	}
	for _, gap := range t.gaps {
		fmt.Fprintf(w, "\n%s\n", gap)
	}
}

func middle(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

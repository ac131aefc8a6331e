package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// printTable writes Markdown. A ratio is taken within a round; what is shown
// is the middle one and, in brackets, the least and the greatest.
func printTable(w io.Writer, rounds []round, sticks int, peak int64) {
	one := func(r round) cost { return r.apply }
	all := func(r round) cost { return r.applies }
	fmt.Fprintln(w, "| work | beside | wall | CPU | took |")
	fmt.Fprintln(w, "|---|---|---|---|---|")
	for _, row := range []struct {
		work, beside string
		ours, theirs func(round) cost
		inverse      bool // times as fast, rather than times as costly
	}{
		{"prepare a master", "mkntfs + wimlib-imagex apply", func(r round) cost { return r.prepare }, one, false},
		{
			fmt.Sprintf("%d sticks, master ready", sticks), fmt.Sprintf("%d × the same in parallel, sync", sticks),
			func(r round) cost { return r.press }, all, true,
		},
		{"the same, cold", "as above", func(r round) cost { return r.prepare.plus(r.press) }, all, true},
	} {
		wall := func(c cost) time.Duration { return c.wall }
		cpu := func(c cost) time.Duration { return c.cpu }
		ratio := func(part func(cost) time.Duration) string {
			var list []float64
			for _, r := range rounds {
				q := part(row.ours(r)).Seconds() / part(row.theirs(r)).Seconds()
				if row.inverse {
					q = 1 / q
				}
				list = append(list, q)
			}
			return spread(list, row.inverse)
		}
		took := func(of func(round) cost) string {
			var list []float64
			for _, r := range rounds {
				list = append(list, of(r).wall.Seconds())
			}
			slices.Sort(list)
			return fmt.Sprintf("%.1f s", list[len(list)/2])
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s, beside %s |\n", row.work, row.beside, ratio(wall), ratio(cpu), took(row.ours), took(row.theirs))
	}
	fmt.Fprintf(w, "\nPeak memory, preparing and pressing %d sticks: %d MB\n", memorySticks, peak/1_000_000)
}

func spread(list []float64, inverse bool) string {
	slices.Sort(list)
	text := fmt.Sprintf("%.2f × (%.2f–%.2f)", list[len(list)/2], list[0], list[len(list)-1])
	if inverse {
		text += " as fast"
	}
	return text
}

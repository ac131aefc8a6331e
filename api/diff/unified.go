package diff

import (
	"fmt"
	"strings"
)

// Unified writes rows of Lines as diff -u does, under the names of both texts, so
// that patch takes it; nothing where nothing differs. How lines end is left out,
// and an empty text is one of one empty line.
func Unified(before, after string, rows []Row) string {
	if len(rows) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", before, after)
	for len(rows) > 0 {
		end := 0
		for end < len(rows) && rows[end].Folded == 0 {
			end++
		}
		hunk(&out, rows[:end])
		rows = rows[min(end+1, len(rows)):]
	}
	return out.String()
}

// hunk writes rows between two folds. Where some are left out there are equal
// lines around a change, and elsewhere the rows are both texts whole: so each
// hunk has a line of both.
func hunk(out *strings.Builder, rows []Row) {
	if len(rows) == 0 {
		return
	}
	var lines, added strings.Builder
	var old, fresh, oldLines, freshLines int
	for _, r := range rows {
		if r.Same {
			lines.WriteString(added.String())
			added.Reset()
			fmt.Fprintf(&lines, " %s\n", r.Old)
		}
		if r.OldNo > 0 {
			if oldLines++; old == 0 {
				old = r.OldNo
			}
			if !r.Same {
				fmt.Fprintf(&lines, "-%s\n", r.Old)
			}
		}
		if r.NewNo > 0 {
			if freshLines++; fresh == 0 {
				fresh = r.NewNo
			}
			if !r.Same {
				fmt.Fprintf(&added, "+%s\n", r.New)
			}
		}
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n%s%s", old, oldLines, fresh, freshLines, lines.String(), added.String())
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// column is one column of a table.
type column[T any] struct {
	head string
	cell func(T) string
}

// show prints things that are all there: as a table, a JSON array, or with
// --quiet what id says of each.
func show[T any](x *remote, cmd *cobra.Command, items []T, id func(T) string, columns []column[T]) error {
	l := newListing(x, cmd.OutOrStdout(), id, columns)
	for _, v := range items {
		if err := l.add(v); err != nil {
			return err
		}
	}
	return l.end()
}

// listing writes a list as it comes.
type listing[T any] struct {
	x       *remote
	w       io.Writer
	id      func(T) string
	columns []column[T]
	table   *tabwriter.Writer
	n       int
}

func newListing[T any](x *remote, w io.Writer, id func(T) string, columns []column[T]) *listing[T] {
	return &listing[T]{x: x, w: w, id: id, columns: columns, table: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
}

func (l *listing[T]) add(v T) error {
	l.n++
	switch {
	case l.x.json:
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		open := ",\n "
		if l.n == 1 {
			open = "["
		}
		_, err = fmt.Fprintf(l.w, "%s%s", open, raw)
		return err
	case l.x.quiet:
		_, err := fmt.Fprintln(l.w, l.id(v))
		return err
	}
	if l.n == 1 {
		heads := make([]string, len(l.columns))
		for i, c := range l.columns {
			heads[i] = c.head
		}
		fmt.Fprintln(l.table, strings.Join(heads, "\t"))
	}
	cells := make([]string, len(l.columns))
	for i, c := range l.columns {
		cells[i] = clean(c.cell(v))
	}
	_, err := fmt.Fprintln(l.table, strings.Join(cells, "\t"))
	return err
}

func (l *listing[T]) end() error {
	if !l.x.json {
		return l.table.Flush()
	}
	text := "]\n"
	if l.n == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(l.w, text)
	return err
}

// one prints one thing: as JSON, with --quiet its ID, else what text writes.
func one(x *remote, cmd *cobra.Command, v any, id string, text func(*details)) error {
	switch {
	case x.json:
		return printJSON(cmd, v)
	case x.quiet:
		_, err := fmt.Fprintln(cmd.OutOrStdout(), id)
		return err
	}
	d := &details{tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)}
	text(d)
	return d.w.Flush()
}

// details are lines of a name and a value.
type details struct{ w *tabwriter.Writer }

// line writes a value unless it is empty.
func (d *details) line(name, value string) {
	if value != "" {
		fmt.Fprintf(d.w, "%s\t%s\n", name, clean(value))
	}
}

// table writes rows of cells, the first being the heads, below a blank line.
func (d *details) table(rows [][]string) {
	if len(rows) < 2 {
		return
	}
	_ = d.w.Flush() // the end reports what went wrong
	fmt.Fprintln(d.w)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = clean(c)
		}
		fmt.Fprintln(d.w, strings.Join(cells, "\t"))
	}
	_ = d.w.Flush()
}

// tell says something to a person beside the output.
func (x *remote) tell(cmd *cobra.Command, format string, args ...any) {
	if !x.quiet {
		fmt.Fprintln(cmd.ErrOrStderr(), clean(fmt.Sprintf(format, args...)))
	}
}

func printJSON(cmd *cobra.Command, v any) error {
	out := json.NewEncoder(cmd.OutOrStdout())
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// at is a time as people read it here.
func (x *remote) at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if x.utc {
		return t.UTC().Format("2006-01-02 15:04:05Z")
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// since is a time that may not have come.
func (x *remote) since(t *time.Time) string {
	if t == nil {
		return ""
	}
	return x.at(*t)
}

// clean keeps what came from elsewhere (a serial number, a name) from moving
// the cursor or breaking a table.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

func number(n int) string { return strconv.Itoa(n) }

// counted is a number of things, of which one is called so.
func counted(n int, one string) string {
	if n != 1 {
		one += "s"
	}
	return number(n) + " " + one
}

// yes is a column that is empty for no.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

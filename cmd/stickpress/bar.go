package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/stickpress/stickpress/web/locale"
)

// bars shows progress: as bars on a terminal, as a line now and then
// elsewhere.
type bars struct {
	progress *mpb.Progress // nil when w is no terminal
	w        io.Writer
	mu       sync.Mutex
}

// bars are those of a command, which --quiet has none of.
func (x *remote) bars(cmd *cobra.Command) *bars {
	if x.quiet {
		return newBars(io.Discard)
	}
	return newBars(cmd.ErrOrStderr())
}

func newBars(w io.Writer) *bars {
	b := &bars{w: w}
	if f, ok := w.(*os.File); ok && roomOf(f) > 0 {
		b.progress = mpb.New(mpb.WithOutput(w), mpb.WithWidth(48), mpb.WithRefreshRate(150*time.Millisecond))
	}
	return b
}

// roomOf is how many characters a terminal has room for, 0 for what is none or
// does not say.
func roomOf(f *os.File) int {
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns * rows
}

// wait leaves the bars as they are and gives the terminal back.
func (b *bars) wait() {
	if b.progress != nil {
		b.progress.Wait()
	}
}

// bar is one line of progress. set may be called from any goroutine.
type bar struct {
	parent *bars
	name   string
	bar    *mpb.Bar
	mu     sync.Mutex
	note   string
	said   string
	ended  bool
}

func (b *bars) add(name string) *bar {
	x := &bar{parent: b, name: name}
	if b.progress != nil {
		x.bar = b.progress.AddBar(0,
			mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				x.mu.Lock()
				defer x.mu.Unlock()
				return x.note
			})),
		)
	}
	return x
}

// set shows done of total with a note beside it.
func (x *bar) set(done, total int64, note string) {
	x.mu.Lock()
	x.note = note
	x.mu.Unlock()
	if x.bar != nil {
		x.bar.SetTotal(max(total, 1), false)
		x.bar.SetCurrent(done)
	}
}

// say prints a line where there are no bars, once for each new text.
func (x *bar) say(text string) {
	if x.bar != nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.said == text {
		return
	}
	x.said = text
	x.parent.mu.Lock()
	defer x.parent.mu.Unlock()
	fmt.Fprintf(x.parent.w, "%s  %s\n", x.name, text)
}

// end ends the bar where it is, with a last note.
func (x *bar) end(note string) {
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		return
	}
	x.ended, x.note = true, note
	x.mu.Unlock()
	if x.bar != nil {
		x.bar.Abort(false)
	}
	x.say(note)
}

// bytesNote describes a transfer that began at a time, from so many bytes on.
func bytesNote(done, total, start int64, began time.Time) string {
	seconds := time.Since(began).Seconds()
	var rate float64
	var left time.Duration
	if seconds > 0.5 {
		rate = float64(done-start) / seconds
		if rate > 0 && done < total {
			left = time.Duration(float64(total-done) / rate * float64(time.Second))
		}
	}
	return rateNote(done, total, int64(rate), left)
}

// rateNote describes what goes on at a rate in bytes per second, and how long it
// takes; 0 where that is not known.
func rateNote(done, total, rate int64, left time.Duration) string {
	note := locale.Bytes(done) + " / " + locale.Bytes(total)
	if rate > 0 {
		note += " · " + locale.Rate(rate)
	}
	if left > 0 {
		note += " · " + locale.Duration(left)
	}
	return note
}

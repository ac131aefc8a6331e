package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/record"
	"github.com/stickpress/stickpress/agent/stick"
)

func (p *program) verifyCommand() *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use:   "verify DEVICE",
		Short: "Read a stick again and compare it with what was recorded when it was pressed",
		Long: `Read a stick again and compare it with what was recorded when it was pressed.

DEVICE is a path such as /dev/sdb or \\.\PhysicalDrive1, a port such as 1-1.4, or the
name of a virtual stick; "stickpress-agent devices" lists them. Nothing is written. The
record is the one that this machine kept, or the file that --record names: the console
offers it on the page of a stick.

Prints one word: "intact" while every byte is as it was written, "used" once Windows
has run from the stick and what it leaves alone is as it was.

Exit status: 0 intact or used, 1 it could not be compared, 2 called in a wrong way,
4 it is not as it should be.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			go func() {
				select {
				case <-p.stop:
					cancel()
				case <-ctx.Done():
				}
			}()
			return p.verify(ctx, args[0], file)
		},
	}
	p.deviceFlags(cmd.Flags())
	cmd.Flags().StringVar(&file, "record", "", "file with the stick's record (default: what this machine kept)")
	return cmd
}

// verify compares one stick and prints what it found.
func (p *program) verify(ctx context.Context, name, file string) error {
	lister := p.lister()
	d, err := find(ctx, lister, name)
	if err != nil {
		return err
	}
	h, err := lister.OpenToRead(ctx, d.Identity)
	if err != nil {
		return inWords(d.Path, err)
	}
	defer h.Close()
	records, err := p.recordsOf(h, file)
	if err != nil {
		return inWords(d.Path, err)
	}
	rec, found, read, err := p.compare(ctx, filepath.Base(d.Path), h, records)
	if err != nil {
		return inWords(d.Path, err)
	}
	fmt.Fprintln(p.stdout, found.Outcome)
	is := "stick " + rec.StickID
	if rec.Copy {
		is = "a copy of a disk image, which does not say which one"
	}
	fmt.Fprintf(p.stderr, "%s is %s (disk %s); %s compared.\n", d.Path, is, rec.DiskID, formatBytes(read))
	for _, e := range found.Evidence {
		fmt.Fprintf(p.stderr, "Windows has run from it: %s.\n", evidence[e])
	}
	for _, path := range found.Replaced {
		fmt.Fprintf(p.stderr, "Windows has replaced %s.\n", path)
	}
	return nil
}

// evidence in words.
var evidence = map[string]string{
	protocol.EvidenceRegistry:  "its registry was written",
	protocol.EvidenceGrown:     "its volume was extended",
	protocol.EvidenceEncrypted: "BitLocker encrypts its volume",
}

// compare finds the record that a stick is as; the fault is that of the first.
func (p *program) compare(ctx context.Context, name string, h *disk.Handle, records []*stick.Record) (rec *stick.Record, found protocol.CheckResult, read int64, err error) {
	bar := newBar(p.stderr, name)
	defer bar.end()
	var first error
	for _, rec = range records {
		found, read, err = stick.Reread(ctx, h, rec, bar.set)
		if err == nil || !errors.Is(err, protocol.NewFault(protocol.FaultCopyChanged)) {
			return rec, found, read, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, found, 0, first
}

// recordsOf finds what to compare with: several where versions of a disk image
// share an ID.
func (p *program) recordsOf(h *disk.Handle, file string) ([]*stick.Record, error) {
	if file != "" {
		rec, err := record.Load(file)
		return []*stick.Record{rec}, err
	}
	id, err := stick.DiskID(h)
	if err != nil {
		return nil, err
	}
	records, err := p.records().Find(id, h.Size())
	if errors.Is(err, record.ErrNone) {
		return nil, protocol.WrapFault(err, protocol.FaultNoRecord, "disk_id", id)
	}
	return records, err
}

// find returns the one device that a person means.
func find(ctx context.Context, lister *disk.Lister, name string) (*protocol.Device, error) {
	devices, err := lister.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []*protocol.Device
	for i := range devices {
		d := &devices[i]
		path, _ := filepath.Abs(name)
		device := strings.HasPrefix(name, `\\.\`) && strings.EqualFold(d.Path, name) // \\.\PhysicalDrive1
		if device || d.Path == name || d.Path == path || d.Port != "" && d.Port == name || d.Kind == protocol.KindVirtual && d.Port == name+".img" {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("there is no device %s: see stickpress-agent devices", name)
	default:
		return nil, fmt.Errorf("%s names %d devices: give a path such as %s", name, len(found), found[0].Path)
	}
}

// changedError is a stick that was compared and is not as it should be.
type changedError struct{ error }

// inWords turns a fault into a sentence.
func inWords(path string, err error) error {
	var f *protocol.Fault
	if !errors.As(err, &f) {
		return err
	}
	said := fmt.Errorf("%s: %s", path, reason(f))
	switch f.Code {
	case protocol.FaultVerify, protocol.FaultCopyChanged, protocol.FaultWritten, protocol.FaultUsedChanged, protocol.FaultOtherStick:
		return changedError{said}
	}
	return said
}

// progressBar is a bar on a terminal and nothing elsewhere.
type progressBar struct {
	all *mpb.Progress
	bar *mpb.Bar
}

func newBar(w io.Writer, name string) *progressBar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progressBar{}
	}
	b := &progressBar{all: mpb.New(mpb.WithOutput(w), mpb.WithWidth(48))}
	b.bar = b.all.AddBar(0,
		mpb.PrependDecorators(decor.Name(strings.TrimSpace(name)+" ")),
		mpb.AppendDecorators(
			decor.CountersKibiByte("% .1f / % .1f"), decor.AverageSpeed(decor.SizeB1024(0), "  % .1f"), decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 9}),
		),
	)
	return b
}

func (b *progressBar) set(done, total int64) {
	if b.bar != nil {
		b.bar.SetTotal(max(total, 1), false)
		b.bar.SetCurrent(done)
	}
}

// end leaves the bar as it is.
func (b *progressBar) end() {
	if b.bar != nil {
		b.bar.SetTotal(-1, true)
		b.all.Wait()
	}
}

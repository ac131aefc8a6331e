package stick

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/fat"
	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/protocol"
)

// Reread proves a stick that was pressed before: it reads the device, changes
// nothing, and compares.
//
// Until the stick's Windows has run for the first time every byte that was
// written must be there: the answer is protocol.OutcomeIntact. From then on the
// content is Windows's own, and what is looked at is what it leaves alone:
// the identity of the disk, the layout, the manifest, the boot sectors, the
// boot stores and the boot files; the answer is protocol.OutcomeUsed. That
// Windows has run is told by what nothing else does to a stick (see evidence);
// a stick that some computer mounted and wrote to before is not used, it is
// changed.
//
// progress gets bytes. read is how many were compared.
//
// A copy of a disk image has no such signs: whatever started from it, or mounted
// it, has changed it where it liked, so it is intact or it is changed.
//
// Faults: stick_other when another stick, or a later press of this one, is
// there; verify_mismatch, or verify_written where a computer mounted the stick,
// before the first start; verify_changed after it; verify_copy_changed of a copy; record_invalid; those of the
// device; and the cause of ctx.
func Reread(ctx context.Context, src Source, r *Record, progress func(done, total int64)) (found protocol.CheckResult, read int64, err error) {
	if have := src.Size(); have != r.Bytes {
		return found, 0, otherStick("bytes", r.Bytes, have)
	}
	all, facts, err := r.open()
	if err != nil {
		return found, 0, protocol.WrapFault(err, protocol.FaultRecord)
	}
	w := &reread{ctx: ctx, src: src, record: r, facts: facts, sectors: newSectors(src), progress: progress}
	if err := w.identify(); err != nil {
		return found, 0, err
	}
	if facts != nil {
		evidence, err := w.evidence()
		if err != nil {
			return found, 0, err
		}
		if len(evidence) > 0 {
			found = protocol.CheckResult{Outcome: protocol.OutcomeUsed, Evidence: evidence}
			found.Replaced, read, err = w.used(evidence)
			return found, read, err
		}
	}
	found.Outcome = protocol.OutcomeIntact
	read, err = w.intact(all)
	return found, read, err
}

// reread is the work on one stick.
type reread struct {
	ctx      context.Context
	src      Source
	record   *Record
	facts    *Facts // nil where any change is a mismatch
	sectors  *sectors
	progress func(done, total int64)

	table *foundTable // nil when there is none
}

func otherStick(what string, want, have any) error {
	return protocol.NewFault(protocol.FaultOtherStick, "what", what, "want", want, "have", have)
}

// identify refuses a stick that is not the recorded one. One that cannot be
// told because it is damaged is compared.
func (w *reread) identify() error {
	if w.facts == nil {
		return nil
	}
	if have := w.src.SectorSize(); have != w.facts.SectorSize {
		return otherStick("sector_size", w.facts.SectorSize, have)
	}
	var err error
	if w.table, err = readTable(w.sectors, w.facts.SectorSize); err != nil && !errors.Is(err, errNoTable) {
		return w.unreadable(err, 0)
	}
	tag, err := w.readTag()
	if deviceFault(err) {
		return err
	}
	tagged := err == nil
	if tagged && tag.Stick != w.record.StickID {
		return otherStick("stick", w.record.StickID, tag.Stick)
	}
	// A later press of the same stick, or any other disk. A disk ID that the
	// stick's own manifest contradicts is damage.
	if w.table != nil && w.table.diskID != w.record.DiskID && (!tagged || tag.DiskID != w.record.DiskID) {
		return otherStick("disk_id", w.record.DiskID, w.table.diskID)
	}
	return nil
}

func (w *reread) volume(role Role) *io.SectionReader {
	p := w.facts.partition(role)
	length := p.Length
	if w.table != nil { // it may have grown
		if have, err := w.table.at(p); err == nil && have.Length > length && have.End() <= w.src.Size() {
			length = have.Length
		}
	}
	return io.NewSectionReader(w.sectors, p.Offset, length)
}

func (w *reread) readTag() (Tag, error) {
	v, err := fat.Open(w.volume(RoleSystem))
	if err != nil {
		return Tag{}, err
	}
	return readTag(v, w.volume(RoleSystem))
}

// readTag reads the manifest of a stick from its system volume.
func readTag(v *fat.Volume, r io.ReaderAt) (Tag, error) {
	raw, err := readBootFile(v, r, TagName, tagBytes)
	if err != nil {
		return Tag{}, err
	}
	return ParseTag(raw)
}

// deviceFault reports whether the device itself says what is wrong, that it is
// gone, say; then nothing else counts.
func deviceFault(err error) bool {
	var f *protocol.Fault
	return errors.As(err, &f)
}

// unreadable is the fault for a range that cannot be read.
func (w *reread) unreadable(err error, offset int64) error {
	if deviceFault(err) {
		return err
	}
	return protocol.WrapFault(err, protocol.FaultVerify, "offset", offset, "want", "", "have", "unreadable")
}

// intact compares everything.
func (w *reread) intact(all []recorded) (read int64, err error) {
	var total int64
	for _, c := range all {
		total += c.Length
	}
	w.progress(0, total)
	buf := alignedBuffer(ChunkBytes)
	var changed []recorded
	for _, c := range all {
		if w.ctx.Err() != nil {
			return read, context.Cause(w.ctx)
		}
		have := "unreadable"
		b := buf[:c.Length]
		err := readFull(w.src, b, c.Offset)
		if deviceFault(err) {
			return read, err
		}
		if err == nil {
			sum := SumOf(b)
			if sum == c.want {
				read += c.Length
				w.progress(read, total)
				continue
			}
			if w.facts == nil && w.record.Copy {
				if changed = append(changed, c); len(changed) == maxChanged {
					break
				}
				continue
			}
			have = sum.String()
		}
		return read, w.mismatch(err, c, have)
	}
	return read, copyChanged(changed)
}

// maxChanged is how many chunks of a copy are named that are not as they were.
const maxChanged = 8

// copyChanged is the fault of a copy with changed chunks, nil without any.
func copyChanged(chunks []recorded) error {
	if len(chunks) == 0 {
		return nil
	}
	offsets := make([]string, len(chunks))
	for i, c := range chunks {
		offsets[i] = strconv.FormatInt(c.Offset, 10)
	}
	return protocol.NewFault(protocol.FaultCopyChanged, "offset", offsets[0], "offsets", strings.Join(offsets, ", "))
}

// mismatch tells a stick that a computer wrote to from one that has lost what
// was written.
func (w *reread) mismatch(err error, c recorded, have string) error {
	params := []any{"offset", c.Offset, "want", c.want, "have", have}
	if err == nil {
		if label := w.mounted(); label != "" {
			return protocol.NewFault(protocol.FaultWritten, append(params, "volume", label)...)
		}
	}
	return protocol.WrapFault(err, protocol.FaultVerify, params...)
}

// mounted names the volume that a computer mounted for writing, "" if there is
// no sign of that: Windows begins a journal on NTFS, and leaves a folder for
// itself on FAT32.
func (w *reread) mounted() string {
	if w.facts == nil {
		return ""
	}
	if v, err := ntfs.Open(w.volume(RoleWindows)); err == nil && !w.facts.Journal {
		if begun, err := v.LogBegun(); err == nil && begun {
			return string(RoleWindows)
		}
	}
	if v, err := fat.Open(w.volume(RoleSystem)); err == nil {
		if _, err := v.Find("System Volume Information"); err == nil {
			return string(RoleSystem)
		}
	}
	return ""
}

// windowsBoot is the boot sector of the Windows volume as it is now.
func (w *reread) windowsBoot() ([]byte, error) {
	b := make([]byte, 512)
	if err := readFull(w.volume(RoleWindows), b, 0); err != nil {
		return nil, w.unreadable(err, w.facts.partition(RoleWindows).Offset)
	}
	return b, nil
}

// changed is the fault of a used stick. An error for what was found is why it
// could not be read.
func changed(what, path string, want, have any) error {
	if err, ok := have.(error); ok {
		return protocol.WrapFault(err, protocol.FaultUsedChanged, "what", what, "path", path, "want", want, "have", "")
	}
	return protocol.NewFault(protocol.FaultUsedChanged, "what", what, "path", path, "want", want, "have", have)
}

// DiskID returns what the partition table of a device says it is, as
// protocol.StickRecord has it, "" without a table that a stick of ours can have.
// An error is the device's.
func DiskID(src Source) (string, error) {
	t, err := readTable(newSectors(src), src.SectorSize())
	switch {
	case deviceFault(err):
		return "", err
	case err != nil: // none, or not readable: whoever compares says so
		return "", nil
	}
	return t.diskID, nil
}

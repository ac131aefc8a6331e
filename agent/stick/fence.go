package stick

import (
	"fmt"
	"os"

	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/volume"
)

// A fence keeps an image together on its volume.
//
// ntfs-3g looks at the bitmap through windows of 16 MiB and puts each new file
// into the next one, so that small files end up scattered over the whole
// volume: harmless in a file, but written to a stick it is one random write
// per file. So while the image is applied, free clusters beyond what it needs
// are marked as used; afterwards they are free again. Nothing of it stays.
type fence []volume.Extent

// fenceFor encloses room for bytes of file data in files files. Each file
// wastes half a cluster on average and each directory an index block; the
// rest is so that a wrong guess does not cost a second try.
func fenceFor(v *ntfs.Volume, bytes int64, files int) (fence, error) {
	free, err := v.FreeExtents()
	if err != nil {
		return nil, err
	}
	const perRecord = 1200 // bytes of MFT for each file, some with a second record
	open := []volume.Extent{
		{Offset: 0, Length: v.MFTEnd() + int64(files)*perRecord + 16*mib},
		{Offset: v.DataStart(), Length: bytes + bytes/50 + int64(files)*6*kib + 32*mib},
	}
	unit := v.ClusterSize()
	return subtract(free, volume.Align(open, unit)), nil
}

// raise marks the fence's clusters as used, lower gives them back.
func (f fence) raise(file *os.File) error { return f.mark(file, true) }

func (f fence) lower(file *os.File) error { return f.mark(file, false) }

func (f fence) mark(file *os.File, used bool) error {
	v, err := ntfs.Open(file)
	if err != nil {
		return err
	}
	patches, err := v.Mark(f, used)
	if err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	return volume.Apply(file, patches)
}

// subtract returns what of the extents none of the others covers.
func subtract(extents, others []volume.Extent) []volume.Extent {
	rest := extents
	for _, o := range others {
		var next []volume.Extent
		for _, e := range rest {
			if o.End() <= e.Offset || o.Offset >= e.End() {
				next = append(next, e)
				continue
			}
			if o.Offset > e.Offset {
				next = append(next, volume.Extent{Offset: e.Offset, Length: o.Offset - e.Offset})
			}
			if o.End() < e.End() {
				next = append(next, volume.Extent{Offset: o.End(), Length: e.End() - o.End()})
			}
		}
		rest = next
	}
	return rest
}

package stick

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/stickpress/stickpress/agent/partition"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// RawSpec says what disk image a Raw is, as the console inspected it.
type RawSpec struct {
	Path        string // on this host; its digest was checked when it came
	SHA256      string // lower-case hex of the file
	Format      string // protocol.FormatRaw, FormatISO, FormatVHD or FormatVHDX
	Compression string // protocol.CompressionNone, …Gzip, …XZ or …Zstd; of raw and ISO only
	DiskBytes   int64  // of the disk that it holds
	// Mapped are the only parts of the disk that are written, from a block map
	// that somebody vouched for; nil writes all.
	Mapped []volume.Extent
}

// rawHead is the start of a disk that is written last, with the partition
// table in it and what an ISO is recognised by.
const rawHead = 64 * kib

// Raw is a disk image that is written as it is: a Content without anything of
// a stick's own. All of the disk is written, zeros too, unless a block map says
// what may be left out.
//
// One thing is changed: the second copy of a GPT goes to the real end of each
// device. Not so with an ISO, whose copies are compared with checksums in them
// that cover the table.
//
// An image that can be read at an offset is read where it lies. A compressed
// one is decoded as it is written, once for all sticks that keep pace; a stick
// that falls too far behind has it decoded for itself, from the beginning. One
// whose decoders would take too much memory is refused: see Expand.
type Raw struct {
	spec   RawSpec
	src    diskSource
	table  *partition.Table
	sector int64
	size   int64  // of the disk, in whole sectors
	head   []byte // the disk's first bytes
	moved  bool   // the table is fitted to the device
	tail   volume.Extent
	chunks []volume.Extent

	mu    sync.Mutex
	sums  []Sum // by chunk, as read first
	known []bool
}

var (
	_ Content = (*Raw)(nil)
	_ Decoded = (*Raw)(nil)
)

// OpenRaw opens a disk image. Faults: image_corrupt, when the file is not what
// the spec says.
func OpenRaw(spec RawSpec) (*Raw, error) {
	f, err := os.Open(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("open disk image: %w", err)
	}
	r := &Raw{spec: spec}
	if err := r.open(f); err != nil {
		return nil, errors.Join(imageFault(err), f.Close())
	}
	return r, nil
}

// maxDisk is larger than any stick, and keeps the list of chunks within memory.
const maxDisk = 1 << 44

// plausible refuses what no console says: it would end this program, and with it
// all sticks, when memory is made for it.
func (s *RawSpec) plausible() error {
	if s.DiskBytes < 1 || s.DiskBytes > maxDisk {
		return fmt.Errorf("%w: a disk of %d bytes", errImage, s.DiskBytes)
	}
	end := int64(0)
	for _, e := range s.Mapped {
		if e.Offset < end || e.Length < 1 || e.Offset > s.DiskBytes || e.Length > s.DiskBytes-e.Offset {
			return fmt.Errorf("%w: its map has %d bytes at %d of %d", errImage, e.Length, e.Offset, s.DiskBytes)
		}
		end = e.End()
	}
	return nil
}

func (r *Raw) open(f *os.File) error {
	if err := r.spec.plausible(); err != nil {
		return err
	}
	src, size, sector, err := openSource(f, r.spec)
	if err != nil {
		return err
	}
	if size >= 0 && size != r.spec.DiskBytes {
		return fmt.Errorf("%w: a disk of %d bytes, not %d", errImage, size, r.spec.DiskBytes)
	}
	r.src = src
	head, err := src.start(min(partition.HeadBytes, r.spec.DiskBytes))
	if err != nil {
		return err
	}
	r.table, err = partition.Read(head, r.spec.DiskBytes)
	if err != nil && (r.spec.Format != protocol.FormatISO || !errors.Is(err, partition.ErrCorrupt)) {
		return err
	}
	r.sector = int64(sector)
	if r.table.Kind == partition.GPT {
		r.sector = int64(r.table.SectorSize)
	}
	r.size = (r.spec.DiskBytes + r.sector - 1) / r.sector * r.sector
	r.moved = r.table.Kind == partition.GPT && r.spec.Format != protocol.FormatISO
	r.lay()
	r.head = make([]byte, r.headBytes())
	if _, err := head.ReadAt(r.head[:min(int64(len(r.head)), r.spec.DiskBytes)], 0); err != nil {
		return err
	}
	r.sums, r.known = make([]Sum, len(r.chunks)), make([]bool, len(r.chunks))
	return nil
}

// lay says which chunks there are: all but the head, and the copy of the table
// at the end, for which each device has another place.
func (r *Raw) lay() {
	if backup := r.table.BackupBytes(); r.moved && r.size-backup >= r.table.UsedEnd() {
		r.tail = volume.Extent{Offset: r.size - backup, Length: backup}
	}
	parts := []volume.Extent{{Offset: 0, Length: r.size}}
	if r.spec.Mapped != nil {
		parts = volume.Align(r.spec.Mapped, r.sector)
	}
	apart := []volume.Extent{{Offset: 0, Length: r.headBytes()}, {Offset: r.size, Length: r.sector}}
	if r.tail.Length > 0 {
		apart = append(apart, r.tail)
	}
	for _, c := range split(volume.Join(subtract(parts, apart), 0)) {
		r.chunks = append(r.chunks, c.Extent)
	}
}

func (r *Raw) headBytes() int64 {
	if r.tail.Length > 0 {
		return min(rawHead, r.tail.Offset)
	}
	return min(rawHead, r.size)
}

// Digest implements Content: a SHA-256 over the file's digest and what of it
// is written.
func (r *Raw) Digest() string {
	raw, err := json.Marshal(struct {
		Version int             `json:"version"`
		SHA256  string          `json:"image_sha256"`
		Mapped  []volume.Extent `json:"mapped"`
	}{1, r.spec.SHA256, r.spec.Mapped})
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:])
}

// DiskID is what all copies share: two of them in one computer are mistaken
// for each other. It is empty where the image has none.
func (r *Raw) DiskID() string { return r.table.DiskID }

// TableMoved reports whether each device gets its GPT fitted.
func (r *Raw) TableMoved() bool { return r.moved }

// Chunks implements Content.
func (r *Raw) Chunks() []volume.Extent { return r.chunks }

// Read implements Content. Fault: image_corrupt.
func (r *Raw) Read(i int, buf []byte) (Sum, error) {
	if err := r.src.read(i, r.chunks[i].Offset, buf, i == len(r.chunks)-1); err != nil {
		return Sum{}, imageFault(err)
	}
	sum := SumOf(buf)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[i] && r.sums[i] != sum {
		return Sum{}, imageFault(fmt.Errorf("%w: its bytes at %d changed while they were written", errImage, r.chunks[i].Offset))
	}
	r.sums[i], r.known[i] = sum, true
	return sum, nil
}

// Fit implements Content. Faults: device_too_small, image_sector_size.
func (r *Raw) Fit(t *Target) (*Fit, error) {
	size := t.Device.Size()
	if int64(t.Device.SectorSize()) != r.sector {
		return nil, protocol.NewFault(protocol.FaultImageSector, "sector_size", t.Device.SectorSize(), "image_sector_size", r.sector)
	}
	need := r.size
	if r.moved && r.tail.Length == 0 {
		need += r.table.BackupBytes()
	}
	if size < need {
		return nil, tooSmall(size, need)
	}
	fit := &Fit{DiskID: r.table.DiskID, Wipe: r.wiped(size), Table: r.finish(size)}
	if _, err := rand.Read(fit.Seed[:]); err != nil {
		return nil, fmt.Errorf("draw a seed: %w", err)
	}
	fit.Probes = Marks(size, fit.Wipe)
	return fit, nil
}

// wiped are both ends of the device, and the place that the table's copy has in
// the image.
func (r *Raw) wiped(size int64) []volume.Extent {
	end := max(size/Alignment*Alignment-edge, 0)
	parts := []volume.Extent{{Offset: 0, Length: r.headBytes()}, {Offset: end, Length: size - end}}
	if r.tail.Length > 0 {
		parts = append(parts, r.tail)
	}
	return volume.Join(parts, 0)
}

// finish is the disk's head, and the copy of its table at the device's end.
func (r *Raw) finish(size int64) []volume.Patch {
	head := slices.Clone(r.head)
	var table []volume.Patch
	if r.moved {
		m := r.table.Move(size)
		copy(head, m.Sector0)
		copy(head[r.sector:], m.Header)
		table = append(table, volume.Patch{Offset: m.BackupAt, Bytes: m.Backup})
	}
	if int64(len(head)) > r.sector {
		table = append(table, volume.Patch{Offset: r.sector, Bytes: head[r.sector:]})
	}
	return append(table, volume.Patch{Offset: 0, Bytes: head[:r.sector]})
}

// DecoderBytes implements Decoded.
func (r *Raw) DecoderBytes() int64 {
	if s, ok := r.src.(*decoders); ok {
		return s.stream.Window() + decoderOverhead
	}
	return 0
}

// Readers implements Decoded.
func (r *Raw) Readers(most int) {
	if s, ok := r.src.(*decoders); ok {
		s.readers(most)
	}
}

// Close releases the file and all decoders.
func (r *Raw) Close() error { return r.src.Close() }

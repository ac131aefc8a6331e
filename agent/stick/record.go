package stick

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// Record is what is kept of a press, so that the stick can be read again later
// and compared (Reread): where everything lies that was written, and its hashes.
// It is in two parts, because all but a few chunks are the same on every stick
// of a content.
type Record struct {
	protocol.StickRecord
	// Body is the common part, a JSON document that StickRecord.Common names.
	Body json.RawMessage
}

// ErrRecord is wrapped by errors about a record that is none of ours, or that
// is incomplete or damaged.
var ErrRecord = errors.New("record of the stick is unusable")

func badRecord(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRecord, fmt.Sprintf(format, args...))
}

// commonFormat is raised when the document changes its meaning.
const commonFormat = 1

// common is the document of the common part.
type common struct {
	Format int `json:"format"`
	// Chunks are the ranges of the content in rising order, packed: for each a
	// varint of the gap before it, a varint of its length, and its XXH3.
	Chunks []byte `json:"chunks"`
	Facts  *Facts `json:"facts,omitempty"`
}

// Described is Content that knows what of it outlives the first start of its
// Windows.
type Described interface {
	Facts() (*Facts, error)
}

// recorder makes the records of one Press.
type recorder struct {
	content Content
	once    sync.Once
	digest  string
	body    []byte
	err     error
}

// common makes the common part, once: sums are the same for all sticks.
func (r *recorder) common(chunks []volume.Extent, sums []Sum) (string, []byte, error) {
	r.once.Do(func() {
		c := common{Format: commonFormat, Chunks: pack(chunks, sums)}
		if d, ok := r.content.(Described); ok {
			if c.Facts, r.err = d.Facts(); r.err != nil {
				return
			}
		}
		if r.body, r.err = json.Marshal(c); r.err != nil {
			return
		}
		if len(r.body) > protocol.MaxRecord {
			r.err = fmt.Errorf("%d bytes are more than the %d that are kept", len(r.body), protocol.MaxRecord)
			return
		}
		r.digest = digestOf(r.body)
	})
	return r.digest, r.body, r.err
}

func digestOf(body []byte) string { return digest(sha256.Sum256(body)).String() }

// record is what to keep of a stick that was verified.
func (p *press) record() (*Record, error) {
	digest, body, err := p.recorder.common(p.chunks, p.shared)
	if err != nil {
		return nil, fmt.Errorf("record of the stick: %w", err)
	}
	r := &Record{Body: body, StickRecord: protocol.StickRecord{
		StickID: p.Personal.StickID, DiskID: p.fit.DiskID, Bytes: p.Device.Size(), Common: digest, Copy: p.Personal.StickID == "",
		Own: []protocol.RecordedRange{}, Zeros: []protocol.Range{},
	}}
	own := func(e volume.Extent, s Sum) {
		r.Own = append(r.Own, protocol.RecordedRange{Range: protocol.Range(e), XXH3: s.String()})
	}
	for i, c := range p.chunks {
		if p.patches[i] != nil {
			own(c, p.sums[i])
		}
	}
	wiped := p.wipedOnly()
	for _, t := range p.fit.Table {
		e := volume.Extent{Offset: t.Offset, Length: int64(len(t.Bytes))}
		own(e, SumOf(t.Bytes))
		wiped = subtract(wiped, []volume.Extent{e})
	}
	for _, e := range wiped {
		r.Zeros = append(r.Zeros, protocol.Range(e))
	}
	return r, nil
}

// pack writes chunks for common.Chunks.
func pack(chunks []volume.Extent, sums []Sum) []byte {
	var b []byte
	end := int64(0)
	for i, c := range chunks {
		b = binary.AppendUvarint(b, uint64(c.Offset-end))
		b = binary.AppendUvarint(b, uint64(c.Length))
		b = append(b, sums[i][:]...)
		end = c.End()
	}
	return b
}

// recorded is a range and what it must hold.
type recorded struct {
	volume.Extent
	want Sum
}

// unpack reads what pack wrote, for a device of size bytes.
func unpack(b []byte, size int64) ([]recorded, error) {
	var chunks []recorded
	end := int64(0)
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		length, m := binary.Uvarint(b[max(n, 0):])
		if n <= 0 || m <= 0 || len(b) < n+m+len(Sum{}) {
			return nil, badRecord("chunks end in the middle of one")
		}
		if gap > uint64(size-end) || length == 0 || length > ChunkBytes || length > uint64(size-end)-gap {
			return nil, badRecord("%d bytes after a gap of %d at %d of %d", length, gap, end, size)
		}
		c := recorded{Extent: volume.Extent{Offset: end + int64(gap), Length: int64(length)}}
		copy(c.want[:], b[n+m:])
		chunks = append(chunks, c)
		end = c.End()
		b = b[n+m+len(c.want):]
	}
	return chunks, nil
}

// open checks a record and returns what must lie where, by offset, and the
// facts, nil for content that has none.
func (r *Record) open() ([]recorded, *Facts, error) {
	if digestOf(r.Body) != r.Common {
		return nil, nil, badRecord("the common part is not %s", r.Common)
	}
	var c common
	if err := json.Unmarshal(r.Body, &c); err != nil {
		return nil, nil, badRecord("common part: %v", err)
	}
	if c.Format != commonFormat {
		return nil, nil, badRecord("common part of format %d", c.Format)
	}
	if c.Facts != nil {
		if err := c.Facts.check(r.Bytes); err != nil {
			return nil, nil, err
		}
	}
	all, err := unpack(c.Chunks, r.Bytes)
	if err != nil {
		return nil, nil, err
	}
	at := make(map[volume.Extent]int, len(all))
	for i, c := range all {
		at[c.Extent] = i
	}
	for _, o := range r.Own {
		own := recorded{Extent: volume.Extent(o.Range)}
		if err := own.want.UnmarshalText([]byte(o.XXH3)); err != nil {
			return nil, nil, badRecord("%v", err)
		}
		if i, ok := at[own.Extent]; ok {
			all[i].want = own.want
			continue
		}
		all = append(all, own)
	}
	// They do not overlap, so that all of them are no more than the device.
	left := r.Bytes
	for _, z := range r.Zeros {
		if z.Offset < 0 || z.Length < 0 || z.Offset > r.Bytes || z.Length > min(left, r.Bytes-z.Offset) {
			return nil, nil, badRecord("%d zeros at %d of %d", z.Length, z.Offset, r.Bytes)
		}
		left -= z.Length
		for _, c := range split([]volume.Extent{volume.Extent(z)}) {
			all = append(all, recorded{c.Extent, SumOf(zeros[:c.Length])})
		}
	}
	slices.SortFunc(all, func(a, b recorded) int { return cmp.Compare(a.Offset, b.Offset) })
	end := int64(0)
	for _, c := range all {
		if c.Offset < end || c.Length <= 0 || c.Length > ChunkBytes || c.Offset > r.Bytes-c.Length {
			return nil, nil, badRecord("%d bytes at %d of %d", c.Length, c.Offset, r.Bytes)
		}
		end = c.End()
	}
	return all, c.Facts, nil
}

package stick

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// write puts the content onto the device. What is on the device by then is
// read back at the same time.
func (p *press) write() error {
	begun := time.Now()
	if err := p.wipe(p.writeAt); err != nil {
		return err
	}
	if err := p.probe(); err != nil {
		return err
	}
	if err := p.sample(); err != nil {
		return err
	}
	zero, err := p.clear()
	if err != nil {
		return err
	}
	done, total := int64(0), volume.Total(p.chunks)+volume.Total(zero)
	p.Report.Progress(protocol.StepWrite, 0, total)
	for _, c := range split(zero) {
		if err := p.writeAt(zeros[:c.Length], c.Offset); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
		done += c.Length
		p.Report.Progress(protocol.StepWrite, done, total)
	}
	stop := p.readBack()
	defer func() { _ = stop() }() // the first error is the one that counts
	next := done + p.back.distance(total-done)
	for i, c := range p.chunks {
		s, err := p.feed.get(p.ctx, i)
		if err != nil {
			return err
		}
		err = p.writeChunk(i, s)
		p.feed.put(s)
		if err != nil {
			return err
		}
		done += c.Length
		p.Report.Progress(protocol.StepWrite, done, total)
		if done >= next && done < total {
			if err := p.sync(); err != nil {
				return err
			}
			next = done + p.back.distance(total-done)
			p.back.flushed(i + 1)
		}
	}
	p.result.BytesWritten += total
	if err := p.sync(); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	p.result.WriteMS = time.Since(begun).Milliseconds()
	p.result.ContentDigest = contentDigest(p.chunks, p.sums).String()
	p.paced()
	return nil
}

// writeChunk writes chunk i as this stick has it, and notes the hash of that.
// Most chunks are the same for all and are written as they are.
func (p *press) writeChunk(i int, s *slot) error {
	p.shared[i], p.sums[i] = s.sum, s.sum
	offset := p.chunks[i].Offset
	if p.patches[i] == nil {
		p.lasting[i] = s.lasting
		return p.writePaced(s.data, offset)
	}
	h := xxh3.New()
	for data := s.data; len(data) > 0; {
		own := p.own[:copy(p.own, data)]
		for _, patch := range p.patches[i] {
			from, to := max(patch.Offset, offset), min(patch.Offset+int64(len(patch.Bytes)), offset+int64(len(own)))
			if from < to {
				copy(own[from-offset:], patch.Bytes[from-patch.Offset:to-patch.Offset])
			}
		}
		_, _ = h.Write(own) // a hash takes everything
		if l := &p.lasting[i]; l.Length == 0 || l.sum == SumOf(zeros[:l.Length]) {
			*l = lastingOf(own, offset)
		}
		if err := p.writePaced(own, offset); err != nil {
			return err
		}
		data, offset = data[len(own):], offset+int64(len(own))
	}
	p.sums[i] = h.Sum128().Bytes()
	return nil
}

// contentDigest is one number for all content as it was written: a SHA-256
// over the offset, the length (both little-endian, 8 bytes) and the XXH3 of
// every chunk.
func contentDigest(chunks []volume.Extent, sums []Sum) digest {
	h := sha256.New()
	for i, c := range chunks {
		var place [16]byte
		binary.LittleEndian.PutUint64(place[:], uint64(c.Offset))
		binary.LittleEndian.PutUint64(place[8:], uint64(c.Length))
		h.Write(place[:])
		h.Write(sums[i][:])
	}
	return digest(h.Sum(nil))
}

// sortPatches says which patches lie in which chunk, cutting those that lie
// in several. A patch outside all chunks would be lost, so it is an error.
func sortPatches(chunks []volume.Extent, patches []volume.Patch) ([][]volume.Patch, error) {
	byChunk := make([][]volume.Patch, len(chunks))
	for _, patch := range patches {
		left := len(patch.Bytes)
		end := patch.Offset + int64(len(patch.Bytes))
		for i, c := range chunks {
			from, to := max(patch.Offset, c.Offset), min(end, c.End())
			if from >= to {
				continue
			}
			byChunk[i] = append(byChunk[i], volume.Patch{Offset: from, Bytes: patch.Bytes[from-patch.Offset : to-patch.Offset]})
			left -= int(to - from)
		}
		if left != 0 {
			return nil, fmt.Errorf("personalisation: %d bytes at %d are no part of the content", len(patch.Bytes), patch.Offset)
		}
	}
	return byChunk, nil
}

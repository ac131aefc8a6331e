package stick

import (
	"bytes"

	"github.com/stickpress/stickpress/agent/volume"
)

// What is compared while later content is still being written has not seen
// that content go by. A counterfeit that wraps around gives it back rightly
// until its place is written a second time, and where content fills the stick
// there is no mark left to tell (probeAgain). So one page of each chunk is kept
// in mind, 16 bytes of it, and looked at again after all is written: whatever
// runs over a whole chunk, or over the start of one, is found out, for some
// milliseconds per GiB.

// lasting is that page of a chunk: the first that is not zeros, which much of
// an image has in common.
type lasting struct {
	volume.Extent
	sum Sum
}

// lastingOf chooses the page of a chunk at an offset.
func lastingOf(b []byte, offset int64) lasting {
	at := 0
	for at+2*Alignment <= len(b) && bytes.Equal(b[at:at+Alignment], zeros[:Alignment]) {
		at += Alignment
	}
	page := b[at:min(at+Alignment, len(b))]
	if bytes.Equal(page, zeros[:len(page)]) {
		at, page = 0, b[:min(Alignment, len(b))]
	}
	return lasting{volume.Extent{Offset: offset + int64(at), Length: int64(len(page))}, SumOf(page)}
}

// lasted looks again at all chunks, if any was compared before all were written.
func (p *press) lasted() error {
	if !p.back.early {
		return nil
	}
	for _, l := range p.lasting {
		if err := p.compare(p.back.buf, l.Extent, l.sum); err != nil {
			return err
		}
	}
	return nil
}

package ntfs

import (
	"encoding/binary"

	"github.com/stickpress/stickpress/agent/volume"
)

// run is a piece of a non-resident attribute: length clusters from vcn on lie
// at lcn, or nowhere (a hole, read as zeros) when lcn is -1.
type run struct{ vcn, lcn, length int64 }

// decodeRuns reads the mapping pairs of a non-resident attribute (ntfsdoc,
// Data Runs). The runs must cover exactly lowest to highest VCN.
func (v *Volume) decodeRuns(a attribute) ([]run, error) {
	at := int(binary.LittleEndian.Uint16(a.raw[attrRunsOffset:]))
	if at < attrNonResidentMin || at > len(a.raw) {
		return nil, corrupt("attribute %#x: runs at %d", a.typ, at)
	}
	pairs := a.raw[at:]
	vcn, highest := a.lowestVCN(), int64(binary.LittleEndian.Uint64(a.raw[attrHighestVCN:]))
	if vcn < 0 || highest < vcn-1 || highest >= 1<<48 {
		return nil, corrupt("attribute %#x: VCNs %d to %d", a.typ, vcn, highest)
	}
	var runs []run
	lcn := int64(0)
	for len(pairs) > 0 && pairs[0] != 0 {
		nLength, nOffset := int(pairs[0]&15), int(pairs[0]>>4)
		if nLength == 0 || nLength > 8 || nOffset > 8 || 1+nLength+nOffset > len(pairs) {
			return nil, corrupt("attribute %#x: mapping pair %#x", a.typ, pairs[0])
		}
		length := signed(pairs[1 : 1+nLength])
		r := run{vcn, -1, length}
		if nOffset > 0 {
			lcn += signed(pairs[1+nLength : 1+nLength+nOffset])
			r.lcn = lcn
			if lcn < 0 || lcn > v.clusters || length > v.clusters-lcn {
				return nil, corrupt("attribute %#x: run of %d clusters at %d of %d", a.typ, length, lcn, v.clusters)
			}
		}
		if length <= 0 || length > highest+1-vcn {
			return nil, corrupt("attribute %#x: run of %d clusters at VCN %d, highest is %d", a.typ, length, vcn, highest)
		}
		runs = append(runs, r)
		vcn += length
		pairs = pairs[1+nLength+nOffset:]
	}
	if vcn != highest+1 {
		return nil, corrupt("attribute %#x: runs end at VCN %d, want %d", a.typ, vcn-1, highest)
	}
	return runs, nil
}

// signed reads a little-endian two's complement number of 1 to 8 bytes.
func signed(b []byte) int64 {
	var n uint64
	for i, c := range b {
		n |= uint64(c) << (8 * i)
	}
	shift := 64 - 8*len(b)
	return int64(n<<shift) >> shift
}

// locate maps length bytes at offset of a stream onto the volume. Holes
// cannot be located.
func (v *Volume) locate(runs []run, offset, length int64) ([]volume.Extent, error) {
	var extents []volume.Extent
	for _, r := range runs {
		start, end := r.vcn*v.clusterSize, (r.vcn+r.length)*v.clusterSize
		if length == 0 || offset < start || offset >= end {
			continue
		}
		if r.lcn < 0 {
			return nil, corrupt("offset %d lies in a hole", offset)
		}
		n := min(length, end-offset)
		extents = append(extents, volume.Extent{Offset: r.lcn*v.clusterSize + offset - start, Length: n})
		offset += n
		length -= n
	}
	if length > 0 {
		return nil, corrupt("%d bytes at offset %d lie outside the stream", length, offset)
	}
	return extents, nil
}

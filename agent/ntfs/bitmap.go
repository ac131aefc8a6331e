package ntfs

import (
	"fmt"

	"github.com/stickpress/stickpress/agent/volume"
)

// bitmap reads $Bitmap: a bit per cluster, set when it is in use.
func (v *Volume) bitmap() (*File, []byte, error) {
	f, err := v.open(recordBitmap)
	if err != nil {
		return nil, nil, fmt.Errorf("open $Bitmap: %w", err)
	}
	if f.size*8 < v.clusters || f.size > v.clusters/8+(1<<20) {
		return nil, nil, corrupt("$Bitmap of %d bytes for %d clusters", f.size, v.clusters)
	}
	raw, err := f.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("read $Bitmap: %w", err)
	}
	return f, raw, nil
}

// UsedExtents returns every byte range that belongs to the volume's content:
// what $Bitmap marks, and the backup boot sector, which is the volume's last
// sector and outside the bitmap.
func (v *Volume) UsedExtents() ([]volume.Extent, error) {
	_, raw, err := v.bitmap()
	if err != nil {
		return nil, err
	}
	backup := volume.Extent{Offset: v.sectors * v.sectorSize, Length: v.sectorSize}
	return append(v.clustersThat(raw, 1), backup), nil
}

// FreeExtents returns the clusters that $Bitmap calls free.
func (v *Volume) FreeExtents() ([]volume.Extent, error) {
	_, raw, err := v.bitmap()
	if err != nil {
		return nil, err
	}
	return v.clustersThat(raw, 0), nil
}

// clustersThat collects the runs of clusters whose bit has a value.
func (v *Volume) clustersThat(raw []byte, bit byte) []volume.Extent {
	var extents []volume.Extent
	start := int64(-1)
	for c := int64(0); c <= v.clusters; c++ {
		match := c < v.clusters && raw[c/8]>>(c%8)&1 == bit
		switch {
		case match && start < 0:
			start = c
		case !match && start >= 0:
			extents = append(extents, volume.Extent{Offset: start * v.clusterSize, Length: (c - start) * v.clusterSize})
			start = -1
		}
	}
	return extents
}

// Mark returns the patches that call extents of whole clusters used, or free
// again. It refuses where one of them already is what it shall become, so
// that nothing that holds content is ever called free by mistake.
func (v *Volume) Mark(extents []volume.Extent, used bool) ([]volume.Patch, error) {
	f, raw, err := v.bitmap()
	if err != nil {
		return nil, err
	}
	for _, e := range extents {
		if e.Offset%v.clusterSize != 0 || e.Length%v.clusterSize != 0 || e.Offset < 0 || e.End() > v.clusters*v.clusterSize {
			return nil, fmt.Errorf("mark clusters: no clusters from %d to %d", e.Offset, e.End())
		}
		for c := e.Offset / v.clusterSize; c < e.End()/v.clusterSize; c++ {
			if was := raw[c/8]>>(c%8)&1 == 1; was == used {
				return nil, fmt.Errorf("mark clusters: cluster %d is already marked so", c)
			}
			raw[c/8] ^= 1 << (c % 8)
		}
	}
	places, err := f.Extents()
	if err != nil {
		return nil, fmt.Errorf("place of $Bitmap: %w", err)
	}
	patches, err := volume.Place(places, raw)
	if err != nil {
		return nil, fmt.Errorf("mark clusters: %w", err)
	}
	return patches, nil
}

// DataStart is where ntfs-3g begins to put file data: behind the eighth of
// the volume that it keeps for the MFT to grow (ntfs-3g, volume.c,
// ntfs_mft_zone_init's default multiplier).
func (v *Volume) DataStart() int64 { return (v.mftStart + v.clusters/8) * v.clusterSize }

// MFTEnd is where the MFT ends now.
func (v *Volume) MFTEnd() int64 {
	var end int64
	for _, r := range v.mft {
		end = max(end, (r.lcn+r.length)*v.clusterSize)
	}
	return end
}

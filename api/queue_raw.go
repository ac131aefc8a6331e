package api

import (
	"context"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// planRaw plans a protocol.JobRaw: the disk of a version, as it is.
func planRaw(q *store.Questions, in *QueueJobInput, p *plan) decision {
	find := p.askVersion(q, in)
	return func(ctx context.Context, r store.Reader) (func(*protocol.Device) error, error) {
		if err := find(ctx, r); err != nil {
			return nil, err
		}
		disk := p.version.Disk
		if disk == nil {
			return nil, fault.New(fault.KindInvalid, CodeNoDiskImage, "format", p.version.Format).At("version")
		}
		return func(d *protocol.Device) error { return checkDisk(d, disk) }, nil
	}
}

// checkDisk refuses a device that cannot carry a disk.
func checkDisk(d *protocol.Device, disk *Disk) error {
	sector := int64(disk.SectorSize)
	need := (disk.Bytes + sector - 1) / sector * sector
	switch {
	case d.SectorSize != disk.SectorSize:
		return fault.New(fault.KindInvalid, CodeImageSector, "port", d.Port, "sector_size", d.SectorSize, "image_sector_size", sector)
	case d.Bytes < need:
		return fault.New(fault.KindInvalid, CodeDeviceTooSmall, "port", d.Port,
			"have_bytes", d.Bytes, "need_bytes", need, "missing_bytes", need-d.Bytes)
	}
	return nil
}

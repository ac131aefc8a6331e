package api

import (
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

const gib = int64(1) << 30

// capacityClasses are the sizes to which sticks are written, in bytes, least
// first: a volume ends at the class, so that sticks of different makers share
// a master, and Windows grows it at its first boot.
var capacityClasses = []int64{28 * gib, 56 * gib, 112 * gib, 224 * gib, 448 * gib, 896 * gib}

// CapacityClass returns the largest class that fits a device, or 0 for one
// that is too small.
func CapacityClass(bytes int64) int64 {
	var class int64
	for _, c := range capacityClasses {
		if c <= bytes {
			class = c
		}
	}
	return class
}

const (
	// besideNTFS is what a layout takes beside the Windows volume at most:
	// boot partition, MSR, alignment and both tables.
	besideNTFS = 512 << 20
	// removableBuild is the first Windows that starts from a stick that calls
	// itself removable (1703).
	removableBuild = 15063
)

// volumeNeed is how many bytes of a stick an edition takes at least: its files,
// the volume's own records and the other partitions.
func volumeNeed(e *Edition) int64 {
	return e.Bytes + e.Bytes/50 + 64<<20 + besideNTFS
}

// checkFit refuses a device that cannot carry an edition in a layout. An MBR on
// a device that is larger than it can count is no such pair: all classes end
// within its 2^32 sectors, and the host warns that the rest stays unused. What
// pass lets through, because an admin said so, comes last: it hides nothing else.
func checkFit(d *protocol.Device, e *Edition, layout string, pass func(error) error) error {
	class := CapacityClass(d.Bytes)
	need := volumeNeed(e)
	switch {
	case class == 0:
		least := capacityClasses[0]
		return fault.New(fault.KindInvalid, CodeDeviceTooSmall, "port", d.Port,
			"have_bytes", d.Bytes, "need_bytes", least, "missing_bytes", least-d.Bytes)
	case need > class:
		return fault.New(fault.KindInvalid, CodeImageTooBig, "port", d.Port, "need_bytes", need, "have_bytes", class)
	}
	if layout == protocol.LayoutMBRDual && d.SectorSize != 512 {
		err := pass(fault.New(fault.KindInvalid, CodeSectorSize, "port", d.Port, "layout", layout, "sector_size", d.SectorSize))
		if err != nil {
			return err
		}
	}
	if d.Removable && e.Build > 0 && e.Build < removableBuild {
		return pass(fault.New(fault.KindInvalid, CodeRemovableRefused, "port", d.Port, "build", e.Build, "min_build", removableBuild))
	}
	return nil
}

// findEdition returns an edition of a version; edition_missing lists what is
// there.
func findEdition(v *store.Version, index int) (*Edition, error) {
	have := ""
	for i := range v.Editions {
		e := &v.Editions[i]
		if e.Index == index {
			return e, nil
		}
		if have != "" {
			have += ", "
		}
		have += editionLabel(e)
	}
	return nil, fault.New(fault.KindInvalid, CodeEditionMissing, "edition", index, "editions", have).At("edition")
}

package drive

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// stick is a Drive that may be written.
func stick() *Drive {
	return &Drive{
		Number: 3, Bus: BusUSB,
		Device: protocol.Device{
			Identity: protocol.Identity{Kind: protocol.KindUSB, Port: "0:14.0-4", Bytes: 30765219840},
			Path:     `\\.\PhysicalDrive3`,
		},
		Layout: Layout{MBR, []Partition{{Offset: 1 << 20, Length: 30 << 30, Type: 7}}},
		Volumes: []Volume{{
			Name: `\\?\Volume{1}\`, Extents: []Extent{{3, 1 << 20, 30 << 30}}, Mounts: []string{`F:\`, `E:\`}, Format: "NTFS",
		}},
	}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	machine := &Machine{Running: map[uint32]bool{0: true}, Paging: map[uint32]bool{1: true}, Data: map[uint32]bool{2: true}}
	for name, c := range map[string]struct {
		change func(*Drive)
		want   []string // codes
	}{
		"a stick":         {func(*Drive) {}, nil},
		"internal":        {func(d *Drive) { d.Kind = protocol.KindDisk }, []string{protocol.FaultNotRemovable}},
		"empty slot":      {func(d *Drive) { d.Bytes = 0 }, []string{protocol.FaultNoMedium}},
		"write-protected": {func(d *Drive) { d.ReadOnly = true }, []string{protocol.FaultReadOnly}},
		"at a folder":     {func(d *Drive) { d.Volumes[0].Mounts = []string{`C:\data\`} }, []string{protocol.FaultMounted}},
		"system":          {func(d *Drive) { d.Number, d.Volumes[0].Extents[0].Disk = 0, 0 }, []string{protocol.FaultSystem}},
		"page file":       {func(d *Drive) { d.Number, d.Volumes[0].Extents[0].Disk = 1, 1 }, []string{protocol.FaultSwap}},
		"data":            {func(d *Drive) { d.Number, d.Volumes[0].Extents[0].Disk = 2, 2 }, []string{protocol.FaultDataDir}},
		"dynamic":         {func(d *Drive) { d.Layout.Partitions[0].Type = 0x42 }, []string{protocol.FaultHolders}},
		"dynamic GPT":     {func(d *Drive) { d.Layout.Partitions[0].TypeGUID = "AF9B60A0-1431-4F62-BC68-3311714A69AD" }, []string{protocol.FaultHolders}},
		"spanned":         {func(d *Drive) { d.Volumes[0].Extents = append(d.Volumes[0].Extents, Extent{9, 0, 1}) }, []string{protocol.FaultHolders}},
		"BitLocker open":  {func(d *Drive) { d.Volumes[0].Encrypted = true }, []string{protocol.FaultHolders}},
		"BitLocker shut":  {func(d *Drive) { d.Volumes[0].Encrypted, d.Volumes[0].Format = true, "" }, nil},
	} {
		d := stick()
		c.change(d)
		var got []string
		for _, f := range machine.Refuse(d) {
			got = append(got, f.Code)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAutomounted(t *testing.T) {
	t.Parallel()
	d := stick()
	if faults := new(Machine).Refuse(d); len(faults) > 0 || !reflect.DeepEqual(d.AutomountedAt, []string{`E:\`, `F:\`}) {
		t.Errorf("%v, %v", d.AutomountedAt, faults)
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bus            Bus
		removable, usb bool
		want           string
	}{
		{BusUSB, true, true, protocol.KindUSB},
		{BusUSB, false, false, protocol.KindUSB}, // its ancestors could not be read
		{1, false, true, protocol.KindUSB},       // UAS under a driver that says SCSI
		{BusSD, true, false, protocol.KindCard},
		{1, true, false, protocol.KindCard},
		{17, false, false, protocol.KindDisk}, // NVMe
		{BusFileBacked, false, false, protocol.KindDisk},
		{BusSpaces, true, true, protocol.KindDisk}, // a pool of USB disks
		{BusRAID, false, true, protocol.KindDisk},
	} {
		if got := Kind(c.bus, c.removable, c.usb); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]Volume{
		"KINGSTON": {Label: " KINGSTON ", Format: "FAT32"}, "ntfs": {Format: "NTFS"}, "": {}, "bitlocker": {Encrypted: true},
	} {
		if got := v.Title(); got != want {
			t.Errorf("%+v: %q", v, got)
		}
	}
	v := Volume{Extents: []Extent{{3, 0, 1}}}
	if !v.On(3) || v.On(2) {
		t.Error("on the wrong disk")
	}
}

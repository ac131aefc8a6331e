package drive

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// structures compiles testdata/structures.c for Windows, once, and returns what
// it laid out, by section.
func structures(t testing.TB) map[string][]byte {
	t.Helper()
	all, err := compiled()
	if err != nil {
		t.Fatalf("x86_64-w64-mingw32-gcc (Debian package gcc-mingw-w64-x86-64): %v", err)
	}
	return all
}

var compiled = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "stickpress-drive-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	object := filepath.Join(dir, "structures.o")
	cmd := exec.Command("x86_64-w64-mingw32-gcc", "-Werror", "-c", "-o", object, "testdata/structures.c")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	f, err := pe.Open(object)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := map[string][]byte{}
	for _, s := range f.Sections {
		if all[s.Name], err = s.Data(); err != nil && s.Size > 0 {
			return nil, err
		}
	}
	return all, nil
})

func TestStructures(t *testing.T) {
	t.Parallel()
	s := structures(t)
	check := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
		}
	}
	d, err := DecodeDescriptor(s["desc"])
	check("descriptor", d, err, Descriptor{true, BusUSB, "SanDisk", "Ultra USB 3.0", "4C530001150813"})
	g, err := DecodeGeometry(s["geom"])
	check("geometry", g, err, Geometry{4096, 30765219840})
	n, ok, err := DecodeNumber(s["num"])
	check("number", []any{n, ok}, err, []any{uint32(7), true})
	_, ok, err = DecodeNumber(s["cdrom"])
	check("an optical drive", ok, err, false)
	lun, err := DecodeLUN(s["scsi"])
	check("LUN", lun, err, 5)
	e, err := DecodeExtents(s["extents"])
	check("extents", e, err, []Extent{{3, 1 << 20, 5e9}, {4, 2 << 20, 7}})
	mbr, err := DecodeLayout(s["mbr"])
	check("MBR", mbr, err, Layout{MBR, []Partition{{Offset: 1 << 20, Length: 350 << 20, Type: 0x42}}})
	gpt, err := DecodeLayout(s["gpt"])
	check("GPT", gpt, err, Layout{GPT, []Partition{
		{Offset: 1 << 20, Length: 260 << 20, TypeGUID: "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D"},
		{Offset: 261 << 20, Length: 16 << 20, TypeGUID: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"},
	}})
	check("holders of a dynamic disk", mbr.holders(), nil, []string{"dynamic disk"})
	check("holders of a pool's disk", gpt.holders(), nil, []string{"Storage Spaces"})

	check("trim", EncodeTrim(1<<20, 3<<20), nil, s["trim"][:len(EncodeTrim(0, 0))])
	check("query", EncodeQuery(), nil, s["query"][:len(EncodeQuery())])
	check("connection", EncodeConnection(4), nil, s["conn"][:len(EncodeConnection(4))])
	check("old connection", EncodeOldConnection(4)[:4], nil, s["old"][:4])
	check("connector", EncodeConnector(17)[:len("18 bytes, packed..")], nil, s["asktor"][:18])
	check("descriptor", EncodeDescriptor(4, descriptorBOS, 255)[:descriptorRequest], nil, s["askbos"][:descriptorRequest])
	for section, want := range map[string]Connection{
		"conn3": {USB3: true, Mbps: 5000, CapableMbps: 10_000}, "conn2": {USB2: true, CapableMbps: 5000}, "conn": {USB3: true},
	} {
		c, err := DecodeConnection(s[section])
		check(section, c, err, want)
	}
	old, err := DecodeOldConnection(s["old"])
	check("old connection", old, err, OldConnection{0x0210, 480})
	link, port, err := DecodeConnector(s["contor"])
	check("companion", []any{link, port}, err, []any{"USB#ROOT_HUB30#4&1b2c3d&0&0#{hub}", uint32(3)})
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	s := structures(t)
	words := func(section string) (list []uint32) {
		for b := s[section]; len(b) >= 4; b = b[4:] {
			list = append(list, binary.LittleEndian.Uint32(b))
		}
		return list
	}
	codes := []uint32{
		QueryProperty, GetDeviceNumber, CheckVerify, ManageDataSet, GetGeometry, GetLayout, IsWritable, UpdateProperties,
		GetSCSIAddress, GetVolumeExtents, GetConnection, GetOldConnection,
		GetConnector, GetDescriptor, LockVolume, DismountVolume, SetSparse, SetZeroData,
	}
	if got := words("codes"); len(got) < len(codes) || !slices.Equal(got[:len(codes)], codes) {
		t.Errorf("control codes: %#x in the headers, %#x here", got, codes)
	}
	sizes := []uint32{
		descriptorSize, partitionSize, layoutHead, connectionSize, uint32(BusUSB), uint32(BusRAID), uint32(BusISCSI),
		uint32(BusSD), uint32(BusMMC), uint32(BusVirtual), uint32(BusFileBacked), uint32(BusSpaces),
		connectorLink, descriptorRequest,
	}
	if got := words("sizes"); len(got) < len(sizes) || !slices.Equal(got[:len(sizes)], sizes) {
		t.Errorf("sizes and buses: %d in the headers, %d here", got, sizes)
	}
	for section, list := range map[string][]syscall.Errno{"gone": gone, "empty": empty} {
		got := words(section)
		for i, e := range list {
			if i >= len(got) || got[i] != uint32(e) {
				t.Errorf("errors of a device that is %s: %d in the headers, %d here", section, got, list)
			}
		}
	}
	for name, key := range map[string]Key{
		"DEVPKEY_Device_Service": KeyService, "DEVPKEY_Device_Address": KeyAddress,
		"DEVPKEY_Device_LocationPaths": KeyLocationPaths, "DEVPKEY_Device_InstanceId": KeyInstanceID,
		"DEVPKEY_Device_LastArrivalDate": KeyLastArrival,
	} {
		want := binary.LittleEndian.AppendUint32(slices.Clone(key.GUID[:]), key.ID)
		if got := s[".rdata$"+name]; !bytes.HasPrefix(got, want) {
			t.Errorf("%s: %x in the headers, %x here", name, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	s := structures(t)
	for section, decode := range decoders {
		for n := range len(s[section]) {
			err := decode(s[section][:n])
			if n < 8 && !errors.Is(err, ErrShort) {
				t.Errorf("%d bytes of %s: %v", n, section, err)
			}
		}
	}
	// A serial that lies outside of the answer is none.
	b := slices.Clone(s["desc"])
	binary.LittleEndian.PutUint32(b[24:], 1<<30)
	if d, err := DecodeDescriptor(b); err != nil || d.Serial != "" || d.Vendor != "SanDisk" {
		t.Errorf("%+v, %v", d, err)
	}
}

var decoders = map[string]func([]byte) error{
	"desc":    func(b []byte) error { _, err := DecodeDescriptor(b); return err },
	"geom":    func(b []byte) error { _, err := DecodeGeometry(b); return err },
	"num":     func(b []byte) error { _, _, err := DecodeNumber(b); return err },
	"scsi":    func(b []byte) error { _, err := DecodeLUN(b); return err },
	"extents": func(b []byte) error { _, err := DecodeExtents(b); return err },
	"gpt":     func(b []byte) error { _, err := DecodeLayout(b); return err },
	"conn3":   func(b []byte) error { _, err := DecodeConnection(b); return err },
	"old":     func(b []byte) error { _, err := DecodeOldConnection(b); return err },
	"contor":  func(b []byte) error { _, _, err := DecodeConnector(b); return err },
}

func FuzzDecode(f *testing.F) {
	for _, b := range structures(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, decode := range decoders {
			_ = decode(b) // no answer may bring the agent down
		}
		if l, err := DecodeLayout(b); err == nil {
			for _, p := range l.Partitions {
				if p.Length <= 0 || p.Offset < 0 {
					t.Errorf("partition %+v", p)
				}
			}
			l.holders()
		}
	})
}

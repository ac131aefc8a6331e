package drive

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// answers is a device that gives the same answer to every question of a code,
// in no more bytes than were asked for; it refuses other codes.
type answers map[uint32][]byte

func (a answers) ask(code uint32, question []byte, size int) ([]byte, error) {
	raw, ok := a[code]
	switch {
	case !ok:
		return nil, syscall.Errno(1) // ERROR_INVALID_FUNCTION
	case code == GetConnection && !slices.Equal(question, EncodeConnection(le.Uint32(question))):
		return nil, syscall.Errno(87) // ERROR_INVALID_PARAMETER
	case size > 0:
		raw = raw[:min(len(raw), size)]
	}
	return raw, nil
}

func TestSpeed(t *testing.T) {
	t.Parallel()
	s := structures(t)
	for name, c := range map[string]struct {
		hub          answers
		now, capable int
	}{
		"USB 3":             {answers{GetConnection: s["conn3"], GetOldConnection: s["old"]}, 5000, 10_000},
		"fell back":         {answers{GetConnection: s["conn2"], GetOldConnection: s["old"]}, 480, 5000},
		"an old hub":        {answers{GetOldConnection: s["old"]}, 480, 0},
		"says nothing":      {answers{}, 0, 0},
		"answers too short": {answers{GetConnection: s["conn3"][:8], GetOldConnection: s["old"][:8]}, 0, 0},
	} {
		now, capable := Speed(c.hub.ask, 4)
		d := protocol.Device{SpeedMbps: now, MaxMbps: capable}
		if now != c.now || capable != c.capable || d.FellBack() != (name == "fell back") {
			t.Errorf("%s: %d of %d Mb/s", name, now, capable)
		}
	}
}

func TestReadBOS(t *testing.T) {
	t.Parallel()
	s := structures(t)
	old := slices.Clone(s["old"])
	binary.LittleEndian.PutUint16(old[6:], 0x0200)
	bos, err := ReadBOS(answers{GetOldConnection: s["old"], GetDescriptor: s["bos"]}.ask, 4)
	if want := []byte{5, 15, 15, 0, 1, 10, 16, 3, 0, 14, 0, 1, 10, 0, 1}; err != nil || !slices.Equal(bos[:min(len(bos), 15)], want) {
		t.Errorf("%v, %v", bos, err)
	}
	for name, hub := range map[string]answers{
		"USB 2.0, not asked": {GetOldConnection: old, GetDescriptor: s["bos"]}, "none": {GetOldConnection: s["old"]},
		"half a request": {GetOldConnection: s["old"], GetDescriptor: s["bos"][:5]},
	} {
		if bos, err := ReadBOS(hub.ask, 4); err != nil || len(bos) != 0 {
			t.Errorf("%s: %v, %v", name, bos, err)
		}
	}
	unplugged := func(code uint32, question []byte, size int) ([]byte, error) {
		if code == GetDescriptor {
			return nil, syscall.Errno(1167)
		}
		return answers{GetOldConnection: s["old"]}.ask(code, question, size)
	}
	if _, err := ReadBOS(unplugged, 4); !Gone(err) {
		t.Errorf("unplugged: %v", err)
	}
}

// A socket of USB 3 has the name of its half for USB 2, whichever a stick
// appears at.
func TestSocket(t *testing.T) {
	t.Parallel()
	s := structures(t)
	const root, other = `PCIROOT(0)#PCI(1400)#USBROOT(0)`, `PCIROOT(0)#PCI(1D00)#USBROOT(0)`
	super := answers{GetConnection: s["conn3"], GetConnector: s["contor"]}
	for name, c := range map[string]struct {
		hub                    answers
		at, located, want, err string
	}{
		"USB 3":                   {hub: super, at: root + `#USB(17)`, located: root, want: root + `#USB(3)`},
		"below a hub":             {hub: super, at: root + `#USB(17)#USB(4)#USBMI(0)`, located: root, want: root + `#USB(3)#USB(4)#USBMI(0)`},
		"another controller's":    {hub: super, at: root + `#USB(17)#USB(4)`, located: other, want: other + `#USB(3)#USB(4)`},
		"the hub not found":       {hub: super, at: root + `#USB(17)`, want: root + `#USB(3)`},
		"USB 2":                   {hub: answers{GetConnection: s["conn2"], GetConnector: s["contor"]}, at: root + `#USB(4)`, want: root + `#USB(4)`},
		"no companion":            {hub: answers{GetConnection: s["conn3"], GetConnector: s["lonely"]}, at: root + `#USB(17)`, want: root + `#USB(17)`},
		"a hub that says nothing": {hub: answers{}, at: root + `#USB(17)`, want: root + `#USB(17)`, err: "it"},
		"no root port":            {hub: super, at: `ACPI(_SB_)`, want: `ACPI(_SB_)`},
	} {
		got, err := Socket(c.at, Root{Ask: c.hub.ask, Port: 17, Locate: func(link string) string {
			if link != `\\?\USB#ROOT_HUB30#4&1b2c3d&0&0#{hub}` {
				t.Errorf("%s: asked where %s is", name, link)
			}
			return c.located
		}})
		if got != c.want || (err != nil) != (c.err != "") {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestReadMedium(t *testing.T) {
	t.Parallel()
	s := structures(t)
	var d Drive
	hub := answers{GetGeometry: s["geom"], IsWritable: nil, GetLayout: s["gpt"]}
	if err := d.ReadMedium(hub.ask); err != nil || d.SectorSize != 4096 || d.Bytes != 30765219840 || d.ReadOnly || len(d.Layout.Partitions) != 2 {
		t.Errorf("4Kn: %+v, %v", d, err)
	}
	delete(hub, IsWritable)
	if err := d.ReadMedium(hub.ask); err != nil || !d.ReadOnly {
		t.Errorf("write-protected: %+v, %v", d, err)
	}
	d = Drive{}
	slot := func(uint32, []byte, int) ([]byte, error) { return nil, syscall.Errno(21) }
	if err := d.ReadMedium(slot); err != nil || d.Bytes != 0 || d.SectorSize != 512 {
		t.Errorf("an empty slot: %+v, %v", d, err)
	}
	if err := d.ReadMedium(answers{}.ask); !errors.Is(err, syscall.Errno(1)) {
		t.Errorf("no disk: %v", err)
	}
	if err := d.ReadMedium(answers{GetGeometry: s["geom"][:20]}.ask); !errors.Is(err, ErrShort) {
		t.Errorf("half an answer: %v", err)
	}
}

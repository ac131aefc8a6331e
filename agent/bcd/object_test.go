package bcd_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/hive/hivetest"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		objects, err := bcd.Decode(encode(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if len(objects) != 11 {
			t.Fatalf("%s: %d objects", name, len(objects))
		}
		for _, o := range objects {
			checkObject(t, s, o)
		}
	}
}

// checkObject asks the loader and the boot manager for an element of each format.
func checkObject(t *testing.T, s bcd.Store, o bcd.Object) {
	t.Helper()
	element := func(typ bcd.ElementType) bcd.Element {
		e, ok := o.Element(typ)
		if !ok {
			t.Fatalf("%v has no element %08x", o.ID, typ)
		}
		return e
	}
	if o.Type == bcd.TypeBootManager {
		if d, err := element(bcd.ApplicationDevice).Device(); d != s.Boot || err != nil {
			t.Errorf("boot manager on %v, %v", d, err)
		}
		if g, err := element(bcd.BootManagerOrder).GUIDs(); len(g) != 1 || g[0] != s.Loader || err != nil {
			t.Errorf("order %v, %v", g, err)
		}
		if n, err := element(bcd.BootManagerTimeout).Number(); n != 30 || err != nil {
			t.Errorf("timeout %d, %v", n, err)
		}
		if _, err := element(bcd.BootManagerTimeout).Text(); !errors.Is(err, bcd.ErrType) {
			t.Errorf("text of a number: got %v, expected ErrType", err)
		}
	}
	if o.Type == bcd.TypeLoader {
		if d, err := element(bcd.SystemDevice).Device(); d != s.Windows || err != nil {
			t.Errorf("Windows on %v, %v", d, err)
		}
		if g, err := element(bcd.LoaderResume).GUIDs(); len(g) != 1 || g[0] != s.Resume || err != nil {
			t.Errorf("resume %v, %v", g, err)
		}
		if p, err := element(bcd.SystemRoot).Text(); p != `\Windows` || err != nil {
			t.Errorf("root %q, %v", p, err)
		}
		if b, err := element(bcd.RecoveryEnabled).Truth(); b || err != nil {
			t.Errorf("recovery %v, %v", b, err)
		}
	}
}

// TestDecodeForeign reads a store after hivex added what we never write: a locate device and an unknown element.
func TestDecodeForeign(t *testing.T) {
	t.Parallel()
	const object = `[\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\`
	file := hivetest.Merge(t, encode(t, stores(t)["UEFI GPT"]),
		object+"11000001]\n\"Element\"=hex(3):00,01,02\n\n"+object+"26000099]\n\"Element\"=hex(3):01\n\n")
	objects, err := bcd.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.Type != bcd.TypeBootManager {
			continue
		}
		e, _ := o.Element(bcd.ApplicationDevice)
		if _, err := e.Device(); !errors.Is(err, bcd.ErrType) {
			t.Errorf("got %v, expected ErrType", err)
		}
		e, _ = o.Element(0x26000099)
		if b, err := e.Truth(); !b || err != nil {
			t.Errorf("got %v, %v", b, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	object := func(name string, keys ...hive.Key) []hive.Key {
		return []hive.Key{
			{Name: "Description", Values: []hive.Value{hive.SZ("KeyName", "BCD00000000")}},
			{Name: "Objects", Keys: []hive.Key{{Name: name, Keys: keys}}},
		}
	}
	typed := hive.Key{Name: "Description", Values: []hive.Value{hive.DWORD("Type", 1)}}
	for name, keys := range map[string][]hive.Key{
		"empty":           nil,
		"no objects":      object("x")[:1],
		"no GUID":         object("x", typed),
		"no type":         object(bcd.BadMemory.Braced()),
		"element no type": object(bcd.BadMemory.Braced(), typed, hive.Key{Name: "Elements", Keys: []hive.Key{{Name: "xyz"}}}),
		"element no data": object(bcd.BadMemory.Braced(), typed, hive.Key{Name: "Elements", Keys: []hive.Key{{Name: "11000001"}}}),
	} {
		file, err := hive.Write(hive.Key{Name: "R", Keys: keys}, hive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bcd.Decode(file); !errors.Is(err, bcd.ErrNotStore) {
			t.Errorf("%s: got %v, expected ErrNotStore", name, err)
		}
	}
	if _, err := bcd.Decode([]byte("no hive")); !errors.Is(err, hive.ErrNotHive) {
		t.Errorf("got %v, expected hive.ErrNotHive", err)
	}
}

func TestGUID(t *testing.T) {
	t.Parallel()
	g := parse(t, "{00112233-4455-6677-8899-AABBCCDDEEFF}")
	want := []byte{0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	if !bytes.Equal(g[:], want) {
		t.Errorf("stored as % x", g[:])
	}
	if g.Braced() != "{00112233-4455-6677-8899-aabbccddeeff}" {
		t.Error(g.Braced())
	}
	var again bcd.GUID
	if err := again.UnmarshalText([]byte(g.String())); again != g || err != nil {
		t.Errorf("%v, %v", again, err)
	}
	random, err := bcd.NewGUID(bytes.NewReader(bytes.Repeat([]byte{0xff}, 16)))
	if random.String() != "ffffffff-ffff-4fff-bfff-ffffffffffff" || err != nil {
		t.Errorf("%v, %v", random, err)
	}
	if _, err := bcd.NewGUID(bytes.NewReader(nil)); err == nil {
		t.Error("a GUID without randomness")
	}
	for _, s := range []string{"", "{}", "00112233", "00112233-4455-6677-8899-aabbccddeegg", "00112233x4455-6677-8899-aabbccddeeff"} {
		if _, err := bcd.ParseGUID(s); !errors.Is(err, bcd.ErrInvalid) {
			t.Errorf("%q: got %v, expected ErrInvalid", s, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, stores(f)["BIOS MBR"]))
	f.Fuzz(func(_ *testing.T, file []byte) {
		objects, _ := bcd.Decode(file)
		for _, o := range objects {
			for _, e := range o.Elements {
				_, _ = e.Device()
				_, _ = e.Text()
				_, _ = e.GUIDs()
				_, _ = e.Number()
				_, _ = e.Truth()
			}
		}
	})
}

package hive_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stickpress/stickpress/agent/hive"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := write(t, wide(40))
	change := func(at int, v uint32) []byte {
		file := bytes.Clone(good)
		binary.LittleEndian.PutUint32(file[at:], v)
		return hive.Seal(file)
	}
	unsealed := bytes.Clone(good)
	unsealed[60] ^= 1
	for name, test := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":            {nil, hive.ErrNotHive},
		"another file":       {[]byte("MZ and so on"), hive.ErrNotHive},
		"half a base block":  {good[:2000], hive.ErrCorrupt},
		"truncated":          {good[:len(good)-1], hive.ErrCorrupt},
		"wrong checksum":     {unsealed, hive.ErrCorrupt},
		"dirty":              {change(4, 7), hive.ErrDirty},
		"version 1.2":        {change(24, 2), hive.ErrUnsupported},
		"a log file":         {change(28, 1), hive.ErrUnsupported},
		"no bins":            {change(40, 0), hive.ErrCorrupt},
		"bins of odd size":   {change(40, 4097), hive.ErrCorrupt},
		"root is no cell":    {change(36, 0x24), hive.ErrCorrupt},
		"root outside":       {change(36, 0xfffffff0), hive.ErrCorrupt},
		"no bin":             {change(4096, 0), hive.ErrCorrupt},
		"bin too long":       {change(4096+8, 1<<20), hive.ErrCorrupt},
		"cell of no size":    {change(4096+32, 0), hive.ErrCorrupt},
		"cell too long":      {change(4096+32, 0xfffe0000), hive.ErrCorrupt},
		"cell of odd size":   {change(4096+32, 0xffffffab), hive.ErrCorrupt},
		"root name too long": {change(4096+32+4+72, 0xffff), hive.ErrCorrupt},
	} {
		if _, err := hive.Open(test.file); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, expected %v", name, err, test.want)
		}
	}
}

// TestCircle leads a key's list back to the key itself.
func TestCircle(t *testing.T) {
	t.Parallel()
	file := write(t, hive.Key{Name: "ROOT", Keys: []hive.Key{{Name: "child"}}})
	list := bytes.Index(file, []byte("lh"))
	binary.LittleEndian.PutUint32(file[list+4:], 0x20)
	h := open(t, file)
	if _, err := h.Tree(""); !errors.Is(err, hive.ErrCorrupt) {
		t.Errorf("read: got %v, expected ErrCorrupt", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(write(f, sample)[:4096+4096])
	f.Add(write(f, hive.Key{Name: "ROOT", Keys: []hive.Key{
		{Name: "Select", Values: []hive.Value{hive.DWORD("Default", 1)}},
		{Name: "ControlSet001"},
		{Name: "MountedDevices", Values: []hive.Value{hive.Binary(`\DosDevices\C:`, []byte("12345678"))}},
	}}))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1<<16 {
			return
		}
		_, _ = hive.Open(file)
		// Few mutations survive checksum and sequence numbers, so these are put right.
		if file = bytes.Clone(file); len(file) >= 4096 {
			copy(file[4:8], file[8:12])
			hive.Seal(file)
		}
		h, err := hive.Open(file)
		if err != nil {
			return
		}
		root, err := h.Tree("")
		if err == nil {
			if _, err := hive.Write(root, hive.Options{}); err != nil && !errors.Is(err, hive.ErrLimit) {
				t.Fatal(err)
			}
		}
		_ = h.MakePortable(hive.PortableOptions{PortableOperatingSystem: true})
		_ = h.Set(`alpha\new\key`, hive.Binary("v", make([]byte, 5000)), hive.DWORD("v", 1))
		for _, k := range root.Keys {
			_ = h.DeleteValues(k.Name)
		}
		if _, err := hive.Open(h.Bytes()); err != nil {
			t.Fatalf("what was edited cannot be opened: %v", err)
		}
	})
}

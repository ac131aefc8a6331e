package hive_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/hive/hivetest"
)

// systemHive is as much of a SYSTEM hive as matters here, with control set 2 as the one to boot.
func systemHive(t testing.TB) []byte {
	t.Helper()
	set := func(n uint32) hive.Key {
		return hive.Key{Name: map[uint32]string{1: "ControlSet001", 2: "ControlSet002"}[n], Keys: []hive.Key{
			{Name: "Control", Keys: []hive.Key{{Name: "Session Manager", Keys: []hive.Key{
				{Name: "Power", Values: []hive.Value{hive.DWORD("HiberbootEnabled", 1)}},
			}}}},
			{Name: "Services", Keys: []hive.Key{{Name: "partmgr", Values: []hive.Value{hive.DWORD("Start", 0)}}}},
		}}
	}
	return write(t, hive.Key{Name: "ROOT", Keys: []hive.Key{
		set(1), set(2),
		{Name: "MountedDevices", Values: []hive.Value{
			hive.Binary(`\DosDevices\C:`, []byte("disk, offset")),
			hive.Binary(`\??\Volume{0b5e2e5c-0000-0000-0000-100000000000}`, make([]byte, 300)),
		}},
		{Name: "Select", Values: []hive.Value{hive.DWORD("Current", 1), hive.DWORD("Default", 2)}},
		{Name: "Setup", Values: []hive.Value{hive.SZ("UnattendFile", `C:\old.xml`), hive.DWORD("SetupType", 2)}},
	}})
}

func TestMakePortable(t *testing.T) {
	t.Parallel()
	for _, preset := range []bool{false, true} {
		h := open(t, systemHive(t))
		m := &model{root: tree(t, h)}
		m.set(`ControlSet002\Services\partmgr\Parameters`, hive.DWORD("SanPolicy", 4))
		m.set(`ControlSet002\Control\Session Manager\Power`, hive.DWORD("HiberbootEnabled", 0))
		m.set(`ControlSet002\Control\BitLocker`, hive.DWORD("PreventDeviceEncryption", 1))
		if preset {
			m.set(`ControlSet002\Control`, hive.DWORD("PortableOperatingSystem", 1))
		}
		m.key("MountedDevices", false).Values = nil
		setup := m.key("Setup", false)
		setup.Values = slices.DeleteFunc(setup.Values, func(v hive.Value) bool { return v.Name == "UnattendFile" })
		for range 2 { // it may be repeated
			if err := h.MakePortable(hive.PortableOptions{PortableOperatingSystem: preset}); err != nil {
				t.Fatal(err)
			}
		}
		audit(t, h, 0)
		same(t, "hivex reads", hivetest.Export(t, h.Bytes()), m.root)
		hivetest.Info(t, h.Bytes())
	}
}

func TestMakePortableRefuses(t *testing.T) {
	t.Parallel()
	h := open(t, write(t, sample))
	if err := h.MakePortable(hive.PortableOptions{}); !errors.Is(err, hive.ErrNotExist) {
		t.Errorf("no SYSTEM hive: got %v, expected ErrNotExist", err)
	}
	h = open(t, systemHive(t))
	if err := h.Set("Select", hive.DWORD("Default", 7)); err != nil {
		t.Fatal(err)
	}
	if err := h.MakePortable(hive.PortableOptions{}); !errors.Is(err, hive.ErrNotExist) {
		t.Errorf("missing control set: got %v, expected ErrNotExist", err)
	}
	if err := h.Set("Select", hive.SZ("Default", "1")); err != nil {
		t.Fatal(err)
	}
	if err := h.MakePortable(hive.PortableOptions{}); !errors.Is(err, hive.ErrType) {
		t.Errorf("Default is a text: got %v, expected ErrType", err)
	}
}

func TestImageState(t *testing.T) {
	t.Parallel()
	h := open(t, write(t, hive.Key{Name: "ROOT", Keys: []hive.Key{{Name: "Microsoft"}}}))
	if _, err := h.ImageState(); !errors.Is(err, hive.ErrNotExist) {
		t.Errorf("got %v, expected ErrNotExist", err)
	}
	const state = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
	if err := h.Set(`Microsoft\Windows\CurrentVersion\Setup\State`, hive.SZ("ImageState", state)); err != nil {
		t.Fatal(err)
	}
	if got, err := h.ImageState(); got != state || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

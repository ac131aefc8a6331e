package hive_test

import (
	"testing"

	"github.com/stickpress/stickpress/agent/hive"
)

func TestValues(t *testing.T) {
	t.Parallel()
	h := open(t, write(t, sample))
	get := func(name string) hive.Value {
		v, err := h.Value("", name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if n, err := get("DWORD").Uint32(); n != 0xfffffffe || err != nil {
		t.Errorf("DWORD: %d, %v", n, err)
	}
	if s, err := get("").Text(); s != "the default value" || err != nil {
		t.Errorf("SZ: %q, %v", s, err)
	}
	if s, err := get("GRÖßE").Text(); s != "14 µm" || err != nil {
		t.Errorf("SZ: %q, %v", s, err)
	}
	// Programs store texts without their NUL, and with leftovers behind it.
	for _, data := range []string{"a\x00b\x00", "a\x00b\x00\x00\x00", "a\x00b\x00\x00\x00z\x00"} {
		if s, err := (hive.Value{Type: hive.TypeSZ, Data: []byte(data)}).Text(); s != "ab" || err != nil {
			t.Errorf("SZ %q: %q, %v", data, s, err)
		}
	}
}

package bcd_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stickpress/stickpress/agent/bcd"
)

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
	if again := parse(t, g.String()); again != g {
		t.Errorf("%v and %v", again, g)
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

package stick

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestShortName(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"stick_01jd6y9k3te0mv8b0g2z5q4w7x": "Z5Q4W7X", "": "0000000", "stick_1": "STICK01", "ü": "0000000",
	} {
		got := ShortName(id)
		if got != want {
			t.Errorf("%q is %q, want %q", id, got, want)
		}
		if len(SystemLabel(id)) != 11 || len(WindowsLabel(id)) != len(WindowsLabel("")) {
			t.Errorf("labels %q, %q", SystemLabel(id), WindowsLabel(id))
		}
	}
}

func TestTag(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x01", 200) // six bytes each in JSON
	tag := Tag{
		Format: tagFormat, Stick: "stick_01jd6y9k3te0mv8b0g2z5q4w7x", Name: "Z5Q4W7X", Image: long, ImageVersion: long,
		TaskSequence: long, Reference: long, PressedAt: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC),
	}
	raw, err := tag.encode()
	if err != nil || len(raw) != tagBytes || !bytes.HasSuffix(raw, []byte("   ")) {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if back, err := ParseTag(raw); err != nil || back != tag {
		t.Errorf("%+v, %v", back, err)
	}
	tag.Image = strings.Repeat("x", tagBytes)
	if _, err := tag.encode(); err == nil {
		t.Error("a tag longer than its place was accepted")
	}
	empty, err := Tag{}.encode() // what the master holds
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseTag(empty); err == nil {
		t.Error("the master's placeholder names a stick")
	}
}

func FuzzParseTag(f *testing.F) {
	f.Add([]byte(`{"stickpress":1,"stick":"stick_1","pressed_at":"2026-11-27T12:00:00Z"}   `))
	f.Add([]byte(`{"stickpress":"1"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tag, err := ParseTag(raw)
		if err == nil && (tag.Stick == "" || tag.Format < 1) {
			t.Errorf("%q names no stick", raw)
		}
	})
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/record"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/volume"
)

// table is content that is nothing but a partition table.
type table struct{ stick.Content }

func (table) Digest() string          { return "table" }
func (table) Chunks() []volume.Extent { return nil }

func (table) Fit(*stick.Target) (*stick.Fit, error) {
	b := make([]byte, 512)
	b[440], b[446+4], b[510], b[511] = 7, 7, 0x55, 0xAA
	return &stick.Fit{
		DiskID: "00000007", Wipe: []volume.Extent{{Offset: 0, Length: 1 << 20}}, Table: []volume.Patch{{Bytes: b}},
	}, nil
}

// deaf hears of nothing.
type deaf struct{}

func (deaf) StepBegun(protocol.Step)              {}
func (deaf) StepDone(protocol.Step)               {}
func (deaf) Touched() error                       { return nil }
func (deaf) Progress(protocol.Step, int64, int64) {}
func (deaf) Log(protocol.LogLine)                 {}
func (deaf) Checked(protocol.Check)               {}

func TestVerify(t *testing.T) {
	t.Parallel()
	virtual, data := t.TempDir(), t.TempDir()
	for _, name := range []string{"one.img", "two.img"} {
		f, err := os.Create(filepath.Join(virtual, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(30<<30), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(virtual, "one.img")
	d, err := stick.OpenFile(path, 512)
	if err != nil {
		t.Fatal(err)
	}
	o := stick.Press(t.Context(), table{}, []stick.Target{{
		Device: d, Personal: stick.Personal{StickID: "stick_7"}, Context: t.Context(), Report: deaf{},
	}})[0]
	if err := errors.Join(o.Err, d.Close()); err != nil {
		t.Fatal(err)
	}
	verify := func(args ...string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		code = run(context.Background(), make(chan struct{}), append([]string{"verify", "--virtual", virtual, "--data", data}, args...), func(string) string { return "" }, &out, &errs)
		return code, out.String(), errs.String()
	}
	expect := func(what string, wantCode int, says string, args ...string) {
		t.Helper()
		if code, out, stderr := verify(args...); code != wantCode || !strings.Contains(out+stderr, says) {
			t.Errorf("%s: exit %d, %s%s; want %d, %q", what, code, out, stderr, wantCode, says)
		}
	}
	expect("nothing kept", exitFailed, "nothing was recorded", "one")
	raw, err := json.MarshalIndent(protocol.RecordFile{Stick: o.Record.StickRecord, Body: o.Record.Body}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "record.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a record in a file", exitOK, "intact\n", "one.img", "--record", file)
	if err := record.Open(filepath.Join(data, "records"), record.DefaultLimit).Put(o.Record); err != nil {
		t.Fatal(err)
	}
	expect("by name", exitOK, "intact\n", "one")
	expect("by path", exitOK, "is stick stick_7 (disk 00000007)", path)
	expect("another stick", exitChanged, "gave back something else", "two", "--record", file)
	expect("no such stick", exitFailed, "there is no device three", "three")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("no record", exitFailed, "is no record of a stick", "one", "--record", file)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("x"), 4096)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	expect("a byte that changed", exitChanged, "offset 512", "one")
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stick := filepath.Join(dir, "stick-1.img")
	if err := os.WriteFile(stick, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(stick)
	if err != nil {
		t.Fatal(err)
	}
	code, out, stderr := call(t, nil, "identify", "stick-1.img", "--virtual", dir, "--seconds", "1")
	if code != exitOK || !strings.Contains(out, stick) {
		t.Errorf("exit %d: %s%s", code, out, stderr)
	}
	after, err := os.Stat(stick)
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the stick was written: %v", err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"identify", "9-9.9", "--virtual", dir}, exitFailed, "nothing is in port 9-9.9"},
		{[]string{"identify", "stick-1.img", "--virtual", dir, "--seconds", "61"}, exitUsage, "1 to 60"},
	} {
		if code, _, stderr := call(t, nil, c.args...); code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit %d, %s", c.args, code, stderr)
		}
	}
}

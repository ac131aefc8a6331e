package diff

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show writes rows as "old|new" lines.
func show(rows []Row) string {
	var b strings.Builder
	for _, r := range rows {
		if r.Folded > 0 {
			fmt.Fprintf(&b, "... %d\n", r.Folded)
			continue
		}
		fmt.Fprintf(&b, "%d %s|%d %s\n", r.OldNo, r.Old, r.NewNo, r.New)
	}
	return b.String()
}

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, before, after, want string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"changed", "a\nb\nc\n", "a\nx\nc\n", "1 a|1 a\n2 b|2 x\n3 c|3 c\n"},
		{"added", "a\n", "a\nb\n", "1 a|1 a\n0 |2 b\n"},
		{"removed at the beginning", "a\nb\n", "b\n", "1 a|0 \n2 b|1 b\n"},
		{"more in place of less", "a\nz\n", "b\nc\nz\n", "1 a|1 b\n0 |2 c\n2 z|3 z\n"},
		{"folded", strings.Repeat("s\n", 9) + "a\n", strings.Repeat("s\n", 9) + "b\n", "... 6\n7 s|7 s\n8 s|8 s\n9 s|9 s\n10 a|10 b\n"},
		{"line ends", "a\r\nb\r\n", "a\nc\n", "1 a|1 a\n2 b|2 c\n"},
	} {
		if d := cmp.Diff(c.want, show(Lines(c.before, c.after))); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// As many lines are changed as diff(1) says, and both texts can be read off.
func TestDiffAgainstDiff(t *testing.T) {
	t.Parallel()
	before := "one\ntwo\nthree\nfour\nfive\nsix\nseven\none\ntwo\n"
	after := "zero\none\nthree\nfour\n5\nsix\none\nseven\ntwo\ntwo\n"
	dir := t.TempDir()
	for name, text := range map[string]string{"before": before, "after": after} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "diff", "-d", "before", "after")
	cmd.Dir = dir
	said, _ := cmd.Output() // its status is 1 where they differ
	want := 0
	for line := range strings.Lines(string(said)) {
		if strings.HasPrefix(line, "<") || strings.HasPrefix(line, ">") {
			want++
		}
	}
	got := 0
	for _, r := range edits(split(before), split(after)) {
		if !r.Same {
			got++
		}
	}
	if got != want || want == 0 {
		t.Errorf("%d lines are changed, diff says %d", got, want)
	}
}

// What Unified writes makes the one text of the other, by patch(1).
func TestUnified(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("s\n", 20)
	for _, c := range []struct{ name, before, after, want string }{
		{"equal", "a\n", "a\n", ""},
		{"changed", "a\nb\nc\n", "a\nx\ny\nc\n", "--- one\n+++ two\n@@ -1,3 +1,4 @@\n a\n-b\n+x\n+y\n c\n"},
		{"added at the beginning", "b\n", "a\nb\n", "--- one\n+++ two\n@@ -1,1 +1,2 @@\n+a\n b\n"},
		{"removed at the end", "a\nb\n", "a\n", "--- one\n+++ two\n@@ -1,2 +1,1 @@\n a\n-b\n"},
		{"nothing in common", "a\n", "b\n", "--- one\n+++ two\n@@ -1,1 +1,1 @@\n-a\n+b\n"},
		{"two places", "a\n" + many + "b\n" + many, "x\n" + many + many, ""},
	} {
		got := Unified("one", "two", Lines(c.before, c.after))
		if d := cmp.Diff(c.want, got); c.want != "" && d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if c.before == c.after {
			if got != "" {
				t.Errorf("%s: %q", c.name, got)
			}
			continue
		}
		file := filepath.Join(t.TempDir(), "text")
		if err := os.WriteFile(file, []byte(c.before), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "patch", "--fuzz=0", file)
		cmd.Stdin = strings.NewReader(got)
		if said, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(said), "offset") {
			t.Errorf("%s: patch: %v\n%s%s", c.name, err, said, got)
			continue
		}
		after, err := os.ReadFile(file)
		if d := cmp.Diff(c.after, string(after)); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, d)
		}
	}
}

// FuzzDiff holds that what is shown is both texts, whole.
func FuzzDiff(f *testing.F) {
	f.Add("a\nb\n", "b\nc\n")
	f.Add("", "x")
	f.Add("<a>\r\n", "<a>\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		a, b := split(before), split(after)
		var old, fresh []string
		for _, r := range pair(edits(a, b)) {
			if r.OldNo > 0 {
				old = append(old, r.Old)
			}
			if r.NewNo > 0 {
				fresh = append(fresh, r.New)
			}
		}
		if d := cmp.Diff(a, old); d != "" {
			t.Errorf("before (-want +got):\n%s", d)
		}
		if d := cmp.Diff(b, fresh); d != "" {
			t.Errorf("after (-want +got):\n%s", d)
		}
	})
}

package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A console that does not answer in time completes nothing, and lets the shell
// go on.
func TestCompletionGivesUp(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(s.Close)
	x := &remote{patience: time.Millisecond, environ: []string{"STICKPRESS_SERVER=" + s.URL, "STICKPRESS_TOKEN=stp_good", "XDG_CONFIG_HOME=" + t.TempDir()}}
	words, directive := x.places(findHosts)(&cobra.Command{}, nil, "")
	if len(words) != 0 || directive != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("words are %v, directive %d", words, directive)
	}
}

// Words are those that go on with what was begun, without what would break a
// line of the shell.
func TestCompletionWords(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"items":[{"name":"bench-1","online":true},{"name":"lab"},{"name":"be\nnch-2"}]}`))
	}))
	t.Cleanup(s.Close)
	x := newRemote([]string{"STICKPRESS_SERVER=" + s.URL, "STICKPRESS_TOKEN=stp_good", "XDG_CONFIG_HOME=" + t.TempDir()})
	words, _ := x.places(findHosts)(&cobra.Command{}, nil, "be")
	if want := []string{"bench-1\tonline", "be\uFFFDnch-2\toffline"}; !slices.Equal(words, want) {
		t.Errorf("words are %q, want %q", words, want)
	}
	if words, _ := x.places(findHosts)(&cobra.Command{}, []string{"bench-1"}, ""); len(words) != 0 {
		t.Errorf("behind the last argument: %q", words)
	}
}

// A host's own disks are not offered as sticks.
func TestCompletionPorts(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"name":"bench-1","devices":[{"port":"virtio1","refusals":[{"code":"device_not_removable"}]},{"port":"1-1.4","model":"Ultra"}]}`))
	}))
	t.Cleanup(s.Close)
	x := newRemote([]string{"STICKPRESS_SERVER=" + s.URL, "STICKPRESS_TOKEN=stp_good", "XDG_CONFIG_HOME=" + t.TempDir()})
	words, _ := x.words(findPorts(protocol.JobRaw))(&cobra.Command{}, []string{"bench-1"}, "")
	if len(words) != 1 || !strings.HasPrefix(words[0], "1-1.4\t") {
		t.Errorf("words are %q", words)
	}
}

// The script completes in a bash that has nothing but itself: at a space, behind
// the = of a flag, inside a URL, before the cursor and for files of a kind.
func TestCompletionOfPlainBash(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal("bash (apt install bash): ", err)
	}
	var script bytes.Buffer
	if _, err := run(t.Context(), []string{"completion", "bash"}, nil, nil, &script, io.Discard); err != nil {
		t.Fatal(err)
	}
	said := filepath.Join(t.TempDir(), "said")
	// What bash itself puts into COMP_WORDS was read off a terminal.
	for line, tc := range map[string]struct{ words, asked, reply string }{
		"stickpress job ":                     {"stickpress job ''", "__complete job ''", "alpha beta"},
		"stickpress job create --image=al":    {"stickpress job create --image = al", "__complete job create --image=al", "alpha"},
		"stickpress job create --image=":      {"stickpress job create --image =", "__complete job create --image=", "alpha beta"},
		"stickpress login http://a:80 --na":   {"stickpress login http : //a : 80 --na", "__complete login http://a:80 --na", ""},
		"stickpress job  list   --state=f":    {"stickpress job list --state = f", "__complete job list --state=f", ""},
		"stickpress job create --csv /tmp/x":  {"stickpress job create --csv /tmp/x", "__complete job create --csv /tmp/x", ""},
		"stickpress job al| --image=x":        {"stickpress job al --image = x", "__complete job al", "alpha"},
		"stickpress --server=h:1 image list ": {"stickpress --server = h : 1 image list ''", "__complete --server=h:1 image list ''", "alpha beta"},
	} {
		before, after, _ := strings.Cut(line, "|")
		test := script.String() + `
stickpress() { printf "%s " "$@" >"$said"; printf 'alpha\tone\nbeta\ttwo\n:4\n'; }
compopt() { :; }
said=$5 COMP_LINE=$1 COMP_POINT=$2 COMP_CWORD=$3 COMP_TYPE=9
eval "COMP_WORDS=($4)"
__start_stickpress
for w in "${COMPREPLY[@]}"; do echo "${w%% *}"; done`
		at := len(strings.Fields(tc.words)) - 1
		if after != "" {
			at -= len(strings.Fields(strings.ReplaceAll(after, "=", " = ")))
		}
		cmd := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile", "-c", test, "bash", before+after, strconv.Itoa(len(before)), strconv.Itoa(at), tc.words, said)
		out, err := cmd.Output()
		raw, _ := os.ReadFile(said)
		asked := strings.TrimSpace(string(raw))
		if err != nil || asked != strings.TrimSpace(strings.ReplaceAll(tc.asked, "'", "")) {
			t.Errorf("%q: asked %q, want %q (%v)", line, asked, tc.asked, err)
		}
		if got := strings.Join(strings.Fields(string(out)), " "); got != tc.reply {
			t.Errorf("%q: replies %q, want %q", line, got, tc.reply)
		}
	}
}

package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/spf13/cobra"
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

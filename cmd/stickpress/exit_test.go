package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Every exit code, by what a console answers.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{
		http.StatusOK:                    exitOK,
		http.StatusBadRequest:            exitRefused,
		http.StatusUnauthorized:          exitRefused,
		http.StatusForbidden:             exitRefused,
		http.StatusNotFound:              exitNotFound,
		http.StatusConflict:              exitConflict,
		http.StatusGone:                  exitNotFound,
		http.StatusPreconditionFailed:    exitConflict,
		http.StatusRequestEntityTooLarge: exitRefused,
		http.StatusUnprocessableEntity:   exitRefused,
		http.StatusPreconditionRequired:  exitConflict,
		http.StatusInternalServerError:   exitFailed,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if status != http.StatusOK {
					refuse(w, status, "some_code")
					return
				}
				_, _ = w.Write([]byte(`{"items":[]}`))
			}))
			t.Cleanup(s.Close)
			code, said := try(t, s.URL, "job", "list")
			if code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
			if status != http.StatusOK && said != "stickpress: It is so. [some_code, request req_7]\n" {
				t.Errorf("said %q", said)
			}
		})
	}
}

// The codes that do not come from a console's refusal.
func TestOtherExitCodes(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, args := range [][]string{
		{"job", "list", "--bogus"},
		{"job", "wacth"},
		{"wacth"},
		{"job", "show"},
		{"job", "create", "--host", "a"},
		{"job", "list", "--limit", "-1"},
		{"job", "list", "--json", "--quiet"},
	} {
		if code, said := try(t, gone.URL, args...); code != exitUsage || !strings.Contains(said, "--help") {
			t.Errorf("%v: exit code %d, %q", args, code, said)
		}
	}
	if code, said := try(t, gone.URL, "job", "list"); code != exitNetwork || !strings.Contains(said, "no answer from "+gone.URL) {
		t.Errorf("no server: exit code %d, %q", code, said)
	}
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"unverified":   {fmt.Errorf("the job failed: %w", errUnverified), exitUnverified},
		"no token":     {fmt.Errorf("%w for x", errNoToken), exitRefused},
		"warnings":     {errWarnings, exitRefused},
		"interrupted":  {fmt.Errorf("watch: %w", context.Canceled), exitInterrupted},
		"local fault":  {fault.New(fault.KindInvalid, "batch_empty"), exitRefused},
		"silence":      {fmt.Errorf("watch: %w", client.ErrSilent), exitNetwork},
		"unavailable":  {&wire.Problem{Status: http.StatusServiceUnavailable}, exitNetwork},
		"too many":     {&wire.Problem{Status: http.StatusTooManyRequests}, exitNetwork},
		"anything":     {errors.New("x"), exitFailed},
		"no such file": {fmt.Errorf("read the image: %w", &fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}), exitFailed},
		"command line": {wrong(&cobra.Command{Use: "x"}, "y"), exitUsage},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", name, got, tt.want)
		}
	}
}

// A stick that a host does not show is no failure of something else.
func TestNotShown(t *testing.T) {
	t.Parallel()
	_, err := (&newJob{ports: []string{"9"}}).choose(api.Host{Name: "bench", Online: true})
	if f := failureOf(err); f.Code != absentCode || f.ExitCode != exitNotFound || f.Detail != "--port 9: bench shows no stick that may be written" {
		t.Errorf("it is %+v", f)
	}
}

// A table has a row for each stick.
func TestTableOfOtherLength(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"name":"bench-1","online":true,"devices":[{"port":"1-1"},{"port":"1-2"}]}`))
	}))
	t.Cleanup(s.Close)
	table := filepath.Join(t.TempDir(), "new.csv")
	if err := os.WriteFile(table, []byte("user\nAda\nGrace\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, said := try(t, s.URL, "job", "create", "--host", "bench-1", "--kind", "verify", "--port", "1-1", "--csv", table)
	if code != exitUsage || !strings.Contains(said, "the table has 2 rows for 1 stick: each row is one stick") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// Where a request is not as the API describes it, each field is named.
func TestFieldErrors(t *testing.T) {
	t.Parallel()
	p := wire.NewProblem(http.StatusUnprocessableEntity, "request_invalid")
	p.Detail, p.Errors = "The request is not as the API describes it.", []wire.FieldError{{Location: "body.version", Detail: "expected a string"}}
	want := "The request is not as the API describes it. [request_invalid]\n  body.version: expected a string"
	if got := sentence(&p); got != want {
		t.Errorf("sentence %q, want %q", got, want)
	}
	p.Errors = []wire.FieldError{{Location: "body.role", Code: p.Code, Detail: p.Detail}}
	want = "The request is not as the API describes it. [request_invalid]"
	if got := sentence(&p); got != want {
		t.Errorf("sentence %q says the same twice", got)
	}
}

// try runs a command against a console and returns its exit code and what it
// said beside its output.
func try(t *testing.T, url string, args ...string) (int, string) {
	t.Helper()
	var out, said bytes.Buffer
	code := execute(t.Context(), args, []string{"STICKPRESS_SERVER=" + url, "STICKPRESS_TOKEN=stp_good", "XDG_CONFIG_HOME=" + t.TempDir()}, strings.NewReader(""), &out, &said)
	return code, said.String()
}

// With --json a failure is an object for programs: what the console said, with
// the exit code, and as much of it as there is where no console said anything.
func TestFailureAsJSON(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p := wire.NewProblem(http.StatusNotFound, "job_not_found")
		p.Detail, p.RequestID = "There is no such job.", "req_1"
		w.Header().Set("Content-Type", wire.ProblemType)
		w.WriteHeader(p.Status)
		_ = json.NewEncoder(w).Encode(p)
	}))
	t.Cleanup(s.Close)
	for name, tt := range map[string]struct {
		url  string
		args []string
		want string
	}{
		"problem": {
			s.URL,
			[]string{"job", "show", "job_x", "--json"},
			`{"type":"urn:stickpress:fault:job_not_found","title":"Not Found","status":404,"request_id":"req_1",` +
				`"code":"job_not_found","detail":"There is no such job.","exit_code":5}` + "\n",
		},
		"usage": {s.URL, []string{"job", "show", "--nonsense", "--json"}, `{"code":"usage","detail":"unknown flag: --nonsense (see 'stickpress job show --help')","exit_code":2}` + "\n"},
		"text":  {s.URL, []string{"job", "show", "job_x"}, "stickpress: There is no such job. [job_not_found, request req_1]\n"},
	} {
		if _, said := try(t, tt.url, tt.args...); said != tt.want {
			t.Errorf("%s: %s, want %s", name, said, tt.want)
		}
	}
	code, said := try(t, "http://127.0.0.1:1", "job", "show", "job_x", "--json")
	var f failure
	if err := json.Unmarshal([]byte(said), &f); err != nil || code != exitNetwork || f.Code != noAnswerCode || f.ExitCode != exitNetwork || f.Detail == "" {
		t.Errorf("no console: exit code %d, %s (%v)", code, said, err)
	}
}

// Nobody waits for a job that begins next week.
func TestWaitForPlanned(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(7 * 24 * time.Hour)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			t.Errorf("%s %s is asked, too", r.Method, r.URL)
		}
		_ = json.NewEncoder(w).Encode(api.Job{ID: "job_x", State: "queued", NotBefore: &later})
	}))
	t.Cleanup(s.Close)
	code, said := try(t, s.URL, "job", "retry", "job_x", "--wait", "--utc")
	if code != exitConflict || !strings.Contains(said, "planned for "+later.UTC().Format("2006-01-02 15:04:05Z")) {
		t.Errorf("exit code %d: %s", code, said)
	}
}

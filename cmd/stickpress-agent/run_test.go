package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/stickpress/stickpress/agent"
	"github.com/stickpress/stickpress/agent/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call runs the program with an environment given as "NAME=value".
func call(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	get := func(name string) string {
		for _, e := range env {
			if k, v, _ := strings.Cut(e, "="); k == name {
				return v
			}
		}
		return ""
	}
	stop := make(chan struct{})
	close(stop)
	code = run(context.Background(), stop, args, get, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		env  []string
		code int
		says string
	}{
		{[]string{"press"}, nil, exitUsage, "unknown command"},
		{[]string{"run", "--cache-limit", "many"}, nil, exitUsage, "such as 500M"},
		{[]string{"run", "--data", dir}, []string{"STICKPRESS_AGENT_CACHE_LIMIT=many"}, exitUsage, "STICKPRESS_AGENT_CACHE_LIMIT"},
		{[]string{"run", "--data", dir, "--log-format", "xml"}, nil, exitUsage, "text or json"},
		{[]string{"enroll", "http://x", "--data", dir}, nil, exitUsage, "--token"},
		{[]string{"run", "--data", dir}, nil, exitFailed, "not enrolled"},
		{[]string{"run"}, []string{"STICKPRESS_AGENT_DATA=" + dir}, exitFailed, dir},
		{[]string{"run"}, []string{"STICKPRESS_AGENT_DATA_FILE=" + dir + "/none"}, exitFailed, "no such file"},
	} {
		code, _, stderr := call(t, c.env, c.args...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%v %v: exit %d, %q; want %d, %q", c.env, c.args, code, stderr, c.code, c.says)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if code, out, _ := call(t, nil, "version"); code != exitOK || !strings.Contains(out, "protocol 1 to 1") {
		t.Fatalf("exit %d: %s", code, out)
	}
}

func TestEnrollAndStop(t *testing.T) {
	t.Parallel()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got protocol.EnrollRequest
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != protocol.PathEnroll {
			http.NotFound(w, r)
			return
		}
		_ = json.NewDecoder(r.Body).Decode(&got)
		_ = json.NewEncoder(w).Encode(protocol.EnrollResponse{HostID: "host_1", ServerKey: public})
	}))
	defer srv.Close()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("one-use\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	code, out, stderr := call(t, []string{"STICKPRESS_AGENT_TOKEN_FILE=" + token, "STICKPRESS_AGENT_DATA=/nowhere"},
		"enroll", srv.URL, "--data", data, "--name", "bench")
	if code != exitOK || !strings.Contains(out, "host_1") || got.Token != "one-use" || got.Name != "bench" {
		t.Fatalf("exit %d: %s%s; request %+v", code, out, stderr, got)
	}
	if strings.Contains(out+stderr, "one-use") {
		t.Error("the token is shown")
	}
	// Asked to stop before it begins: it starts, finds nothing to finish, ends.
	virtual := t.TempDir()
	code, _, stderr = call(t, []string{"STICKPRESS_AGENT_LOG_FORMAT=json"}, "run", "--data", data, "--virtual", virtual)
	if code != exitOK || !strings.Contains(stderr, `"msg":"agent started"`) {
		t.Fatalf("run: exit %d: %s", code, stderr)
	}
	unlock, err := agent.Lock(data)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if code, _, stderr = call(t, nil, "run", "--data", data); code != exitFailed || !strings.Contains(stderr, "another stickpress-agent") {
		t.Fatalf("second process: exit %d: %s", code, stderr)
	}
}

func TestDevices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, bytes := range map[string]int64{"good.img": 30 << 30, "small.img": 8 << 30} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(bytes); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	code, out, stderr := call(t, nil, "devices", "--virtual", dir)
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	line := func(name string) string {
		for l := range strings.Lines(out) {
			if strings.Contains(l, name) {
				return l
			}
		}
		t.Fatalf("no %s in\n%s", name, out)
		return ""
	}
	if l := line("good.img"); !strings.HasSuffix(l, "yes\n") || !strings.Contains(l, "30G") {
		t.Errorf("good stick: %s", l)
	}
	if l := line("small.img"); !strings.Contains(l, "no: it is too small") {
		t.Errorf("small stick: %s", l)
	}
	code, out, _ = call(t, []string{"STICKPRESS_AGENT_VIRTUAL=" + dir}, "devices", "--json")
	var devices []protocol.Device
	if err := json.Unmarshal([]byte(out), &devices); err != nil || code != exitOK || len(devices) < 2 {
		t.Fatalf("exit %d, %d devices: %v", code, len(devices), err)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "1000": 1000, "500M": 500 << 20, "20g": 20 << 30, "20GiB": 20 << 30, "1 T": 1 << 40,
		"": -1, "G": -1, "-1": -1, "1.5G": -1, "9999999999G": -1,
	} {
		s := size(-1)
		if err := s.Set(text); int64(s) != want || (err == nil) != (want >= 0) {
			t.Errorf("%q is %d: %v", text, s, err)
		}
	}
	for n, want := range map[int64]string{0: "0", 1023: "1023", 100 << 30: "100G", 1536 << 20: "1.5G", 30765219840: "28.7G", 2 << 50: "2048T"} {
		if got := formatBytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestRefusalsInWords(t *testing.T) {
	t.Parallel()
	d := &protocol.Device{Refusals: []*protocol.Fault{
		protocol.NewFault(protocol.FaultMounted, "path", "/dev/sda", "mount", "/home"),
		protocol.NewFault("device_of_the_future", "x", 1),
	}}
	if got := verdict(d); got != "no: it is mounted at /home; device_of_the_future map[x:1]" {
		t.Error(got)
	}
	if got := verdict(&protocol.Device{AutomountedAt: []string{"/media/a"}}); got != "yes, after unmounting /media/a" {
		t.Error(got)
	}
	if got := verdict(&protocol.Device{Busy: true}); got != "no: it is being written" {
		t.Error(got)
	}
}

// Package cli holds the tests of the command line against a real console and a
// host with virtual sticks.
package cli

import (
	"bufio"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

func TestMain(m *testing.M) { world.Main(m) }

// stickBytes is what is sold as 64 GB.
const stickBytes = 64_000_000_000

// A session from signing in to the stick that is issued, as testdata/session.txtar
// types it.
func TestSession(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.SetUp()
	w.Enrol(2, stickBytes)
	sticks := w.Devices(2)
	testscript.Run(t, testscript.Params{
		Files: []string{filepath.Join("testdata", "session.txtar")}, RequireExplicitExec: true, ContinueOnError: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PORT", sticks[0].Port)
			env.Setenv("OTHER", sticks[1].Port)
			return prepare(w, env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": codeCommand, "value": valueCommand},
	})
}

// prepare gives a script the console's address, tokens and images.
func prepare(w *world.World, env *testscript.Env) error {
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
	env.Setenv("PATH", w.Programs()+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("URL", w.URL)
	env.Setenv("HOST", world.Host)
	env.Setenv("IMAGE", w.Sample())
	for _, role := range api.Roles {
		token, err := w.Client.CreateToken(w.Context(), api.CreateTokenInput{Name: "script", Role: role})
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(env.WorkDir, string(role)+".token"), []byte(token.Secret+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Whoever has no token gets one through a browser, and gives it back.
func TestLoginInBrowser(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.SetUp()
	config := t.TempDir()
	run := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(w.Context(), filepath.Join(w.Programs(), "stickpress"), args...)
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+config, "STICKPRESS_SERVER="+w.URL, "STICKPRESS_TOKEN=")
		return cmd
	}
	kept := func() string {
		raw, err := os.ReadFile(filepath.Join(config, "stickpress", "servers.json"))
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`stp_[\w-]+`).FindString(string(raw))
	}
	login := func() string {
		login := run("login", w.URL, "--browser", "--name", "here")
		said, err := login.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := login.Start(); err != nil {
			t.Fatal(err)
		}
		code := ""
		lines := bufio.NewScanner(said)
		for code == "" && lines.Scan() {
			_, code, _ = strings.Cut(lines.Text(), w.URL+"/pair?code=")
		}
		page := w.Post("/pair", url.Values{"code": {code}, "answer": {"allow"}, "role": {"helpdesk"}, "days": {"1"}, "scope": {"read"}})
		if !strings.Contains(page, "may act for you") {
			t.Errorf("the code %q is answered with\n%s", code, page)
		}
		last := ""
		for lines.Scan() {
			last = lines.Text()
		}
		if err := login.Wait(); err != nil || !strings.Contains(last, "as "+world.Login+" (helpdesk)") {
			t.Fatalf("it ended with %v and said %q", err, last)
		}
		return kept()
	}
	gone := func(token, why string) {
		t.Helper()
		if out, err := w.Stickpress(token, "whoami"); err == nil || !strings.Contains(err.Error(), "token_invalid") {
			t.Errorf("%s the token is still good: %s, %v", why, out, err)
		}
	}
	first, token := login(), login()
	gone(first, "after signing in again")
	me, err := run("whoami", "--json").Output()
	if err != nil || !strings.Contains(string(me), `"login": "`+world.Login+`"`) || !strings.Contains(string(me), `"role": "helpdesk"`) {
		t.Errorf("whoami: %v, %s", err, me)
	}
	if out, err := run("logout").CombinedOutput(); err != nil {
		t.Fatalf("logout: %v, %s", err, out)
	}
	gone(token, "after signing out")
}

// Ctrl-C ends the watching; the job goes on, and it says so.
func TestInterruptedWatch(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.SetUp()
	w.Enrol(1, stickBytes)
	w.Publish("", "1.0.0")
	d := w.Devices(1)[0]
	token, err := w.Client.CreateToken(w.Context(), api.CreateTokenInput{Name: "watch", Role: api.RoleHelpdesk})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Stickpress(token.Secret, "job", "create", "--host", world.Host, "--port", d.Port, "--image", "win-sample", "--schedule", "+2h", "--yes", "--quiet")
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(out)
	cmd := exec.CommandContext(w.Context(), filepath.Join(w.Programs(), "stickpress"), "job", "watch", id, "--json")
	cmd.Env = append(os.Environ(), "STICKPRESS_SERVER="+w.URL, "STICKPRESS_TOKEN="+token.Secret)
	var said strings.Builder
	cmd.Stderr = &said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.Contains(line, id) {
		t.Fatalf("the first update is %q, %v; it said %q", line, err, said.String())
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("interrupted, it ended with %v", err)
	}
	if want := "The job goes on: 'stickpress job watch " + id + "'"; !strings.Contains(said.String(), want) {
		t.Errorf("it said %q, want %q", said.String(), want)
	}
	j, err := w.Client.GetJob(w.Context(), id)
	if err != nil || j.State != "queued" || j.CancelRequestedAt != nil {
		t.Errorf("the job is %s, %v", j.State, err)
	}
}

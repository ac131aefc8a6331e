package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata run the program as a shell does.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stickpress": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := execute(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}})
}

// A script finds consoles that take the token stp_good at $URL, and at $TLS_URL
// with a certificate that nobody issued: $PIN is its SHA-256, ca.pem itself.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			plain, secure := fakeConsole(t), fakeTLSConsole(t)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("URL", plain.URL)
			env.Setenv("TLS_URL", secure.URL)
			env.Setenv("PIN", pinOf(secure))
			return os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), pemOf(secure), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": codeCommand},
	})
}

// codeCommand is 'code N PROGRAM ARG…' in scripts: the exit code is N.
func codeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	if got := codeOf(err); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

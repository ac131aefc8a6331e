// Package oidctest runs a real OpenID provider for tests: the program of
// cmd/e2e/provider, which is a module of its own and built when it is first
// needed.
package oidctest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/api/oidc"
)

// Person is somebody with an account at the provider.
type Person struct {
	ID, Login, Password, Name string
	Groups                    []string
}

// Provider is a running OpenID provider.
type Provider struct {
	Issuer string

	people string
	config oidc.Config
}

// folder is where program was built, or "".
var folder string

// Cleanup removes the provider's program. A package whose tests start one calls
// it after them.
func Cleanup() {
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
}

// program is the provider's, built once per process.
var program = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	source, err := filepath.Abs(filepath.Join(filepath.Dir(here), "..", "..", "..", "cmd", "e2e", "provider"))
	if err == nil {
		_, err = os.Stat(source)
	}
	if err != nil { // -trimpath: the path is the package's, not the file's
		if source, err = findSource(); err != nil {
			return "", err
		}
	}
	if folder, err = os.MkdirTemp("", "stickpress-provider-"); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "provider")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, ".")
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the provider: %w\n%s", err, out)
	}
	return path, nil
})

// findSource looks for the provider's module above the working directory.
func findSource() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		source := filepath.Join(dir, "cmd", "e2e", "provider")
		if _, missing := os.Stat(filepath.Join(source, "go.mod")); missing == nil {
			return source, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", os.ErrNotExist
		}
		dir = up
	}
	return "", err
}

// Start runs a provider for a console at url, which takes browsers back at
// callback, until the test ends.
func Start(t testing.TB, url, callback string, people ...Person) *Provider {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{people: filepath.Join(t.TempDir(), "people.json")}
	p.config = oidc.Config{
		ClientID: "stickpress", ClientSecret: "the client's secret", RedirectURL: url + callback,
		Scopes: []string{"openid", "profile", "email", "groups"},
	}
	p.SetPeople(t, people...)
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, p.config.ClientID, p.config.ClientSecret, p.config.RedirectURL, url+"/sign-in", p.people)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the provider says nothing: %v", err)
	}
	p.Issuer = strings.TrimSpace(line)
	p.config.Issuer = p.Issuer
	return p
}

// Config is how a console asks this provider.
func (p *Provider) Config() oidc.Config { return p.config }

// SetPeople replaces who has an account.
func (p *Provider) SetPeople(t testing.TB, people ...Person) {
	t.Helper()
	raw, err := json.Marshal(people)
	if err == nil {
		err = os.WriteFile(p.people, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

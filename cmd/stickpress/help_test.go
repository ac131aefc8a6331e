package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The help of a command shows its own flags first; the manual and completion have
// all of them.
func TestHelpShowsOwnFlagsFirst(t *testing.T) {
	t.Parallel()
	for command, own := range map[string][]string{
		"admin gc": {"--delete", "--grace"}, "admin backup": {"--recipient"}, "admin restore": {"--check"}, "serve": nil,
	} {
		root := rootCommand(nil)
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs(append(strings.Fields(command), "--help"))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		first, second, ok := strings.Cut(out.String(), "\nSettings of the console")
		if !ok || strings.Contains(first, "--ldap-url") || !strings.Contains(second, "--ldap-url") || !strings.Contains(second, "--config") {
			t.Errorf("%s: %s", command, out.String())
		}
		for _, flag := range own {
			if !strings.Contains(first, flag) || strings.Contains(second, flag) {
				t.Errorf("%s: where is %s?\n%s", command, flag, out.String())
			}
		}
		cmd, _, err := root.Find(strings.Fields(command))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				t.Errorf("%s: --%s is hidden", command, f.Name)
			}
		})
	}
}

// How a command answers may be said before its name.
func TestLeadingFlags(t *testing.T) {
	t.Parallel()
	s := fakeConsole(t)
	run := func(args ...string) (int, string, string) {
		var out, said bytes.Buffer
		code := execute(t.Context(), args, []string{"STICKPRESS_SERVER=" + s.URL, "STICKPRESS_TOKEN=stp_good", "XDG_CONFIG_HOME=" + t.TempDir()}, strings.NewReader(""), &out, &said)
		return code, out.String(), said.String()
	}
	for _, args := range []string{"--json job list", "--utc --json job list", "--json=true job list", "job --json list", "--server " + s.URL + " --json job list"} {
		if code, out, said := run(strings.Fields(args)...); code != exitOK || out != "[]\n" || said != "" {
			t.Errorf("%s: exit code %d, %q, %q", args, code, out, said)
		}
	}
	for _, args := range []string{"--json", "--json admin", "--json wacth", "--json job wacth", "--json job list --bogus", "--json -q job list"} {
		code, _, said := run(strings.Fields(args)...)
		var f failure
		if err := json.Unmarshal([]byte(said), &f); err != nil || code != exitUsage || f.Code != usageCode {
			t.Errorf("%s: exit code %d, %s", args, code, said)
		}
	}
	if code, _, said := run("--json", "serve"); code != exitUsage || !strings.Contains(said, "unknown flag: --json") {
		t.Errorf("of a command that has no such flag: exit code %d, %s", code, said)
	}
}

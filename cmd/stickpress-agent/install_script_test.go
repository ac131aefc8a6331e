package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestInstallScript: the script for Windows hosts calls the agent with flags
// that it has. Nothing here runs PowerShell.
func TestInstallScript(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../deploy/install-agent.ps1")
	if err != nil {
		t.Fatal(err)
	}
	script := string(raw)
	// Without a byte order mark, Windows PowerShell reads a file in the
	// machine's code page.
	if i := strings.IndexFunc(script, func(r rune) bool { return r > '~' }); i >= 0 {
		t.Errorf("not ASCII: %q", script[i:min(len(script), i+10)])
	}
	p := &program{}
	enroll, run := p.enrollCommand(), p.runCommand()
	// The line that adds a flag says to whom: $more is enroll's, $flags the
	// service's, which keeps flags of run.
	want := map[string]string{"more": "name ca-fingerprint", "flags": "capture-dir cache-limit"}
	found := map[string][]string{}
	for _, m := range regexp.MustCompile(`\$(more|flags) \+= "--([a-z-]+)=`).FindAllStringSubmatch(script, -1) {
		found[m[1]] = append(found[m[1]], m[2])
		if m[1] == "more" && enroll.Flags().Lookup(m[2]) == nil || m[1] == "flags" && run.Flags().Lookup(m[2]) == nil {
			t.Errorf("no flag --%s", m[2])
		}
	}
	for list, flags := range want {
		if got := strings.Join(found[list], " "); got != flags {
			t.Errorf("$%s holds %s, want %s", list, got, flags)
		}
		if !strings.Contains(script, "@"+list) {
			t.Errorf("$%s is given to nobody", list)
		}
	}
	if n := strings.Count(script, " --") + strings.Count(script, `"--`) + strings.Count(script, `'--`); n != 4 {
		t.Errorf("%d flags, of which 4 were looked at", n)
	}
	if enroll.Flags().Lookup("token") == nil || strings.Count(script, "Env:STICKPRESS_AGENT_TOKEN") != 1 || !strings.Contains(script, "$env:STICKPRESS_AGENT_TOKEN = $Token") {
		t.Error("the token goes another way than the agent takes it")
	}
	// Every parameter is used, and every variable was set before.
	head, body, ok := strings.Cut(script, "$ErrorActionPreference")
	if !ok {
		t.Fatal("no body")
	}
	known := map[string]bool{"args": true, "null": true, "false": true, "true": true, "lastexitcode": true, "psscriptroot": true, "erroractionpreference": true}
	for _, m := range regexp.MustCompile(`(?m)^ +\[string(?:\[\])?\] \$(\w+)`).FindAllStringSubmatch(head, -1) {
		known[strings.ToLower(m[1])] = true
		if !strings.Contains(body, "$"+m[1]) {
			t.Errorf("-%s does nothing", m[1])
		}
	}
	assigned := regexp.MustCompile(`\$(\w+) \+?= |foreach \(\$(\w+) in|for \(\$(\w+) =`)
	for line := range strings.Lines(body) {
		line, _, _ = strings.Cut(line, " #")
		for _, m := range assigned.FindAllStringSubmatch(line, -1) {
			known[strings.ToLower(m[1]+m[2]+m[3])] = true
		}
		for _, m := range regexp.MustCompile(`\$(\w+)(:\w*)?`).FindAllStringSubmatch(line, -1) {
			if m[2] != "" && !strings.EqualFold(m[1], "env") {
				t.Errorf("%s names a drive: PowerShell takes what is before the colon for one", m[0])
			}
			if m[2] == "" && !known[strings.ToLower(m[1])] {
				t.Errorf("$%s was never set", m[1])
			}
		}
	}
}

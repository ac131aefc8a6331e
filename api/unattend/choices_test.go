package unattend

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api/fault"
)

// Every choice makes a template that parses, renders, has no remark of the lint
// and is well-formed to another parser too.
func TestStarterWith(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("python3 is the other parser:", err)
	}
	for name, c := range map[string]Choices{
		"nothing":    {},
		"everything": {Language: "de-DE", TimeZone: "W. Europe Standard Time", Account: "stick.admin", Password: "ABCDEF234567", AnyName: true},
		"account":    {Account: "helpdesk", Password: "ABCDEF234567"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := StarterWith(c)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := Parse(raw)
			if err != nil {
				t.Fatalf("%v\n%s", err, raw)
			}
			base, err := Parse(Starter())
			if err != nil {
				t.Fatal(err)
			}
			known := map[string]bool{}
			for _, w := range base.Lint() {
				known[w.Code] = true
			}
			for _, w := range parsed.Lint() {
				if !known[w.Code] && w.Code != "password_in_template" {
					t.Errorf("the lint says %+v", w)
				}
			}
			out, err := parsed.Render(map[string]string{"computer_name": "DESK-7"})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(out), "DESK-7"); got == c.AnyName {
				t.Errorf("the job's name is in the answer file: %v", got)
			}
			cmd := exec.CommandContext(t.Context(), "python3", "-c", `import sys, xml.etree.ElementTree as E
n = "{urn:schemas-microsoft-com:unattend}"
r = E.fromstring(sys.stdin.buffer.read())
for tag in ("UILanguage", "TimeZone", "Name", "Value", "PlainText"):
    print(tag, "|".join(x.text for x in r.iter(n + tag)))`)
			cmd.Stdin = strings.NewReader(string(out))
			seen, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, seen)
			}
			plain := ""
			if c.Account != "" {
				plain = "true"
			}
			want := "UILanguage " + c.Language + "\nTimeZone " + c.TimeZone + "\nName " + c.Account + "\nValue " + c.Password + "\nPlainText " + plain + "\n"
			if string(seen) != want {
				t.Errorf("another parser reads\n%s, want\n%s", seen, want)
			}
		})
	}
}

func TestStarterWithRefuses(t *testing.T) {
	t.Parallel()
	for choice, c := range map[string]Choices{
		"language": {Language: "<b>"},
		"zone":     {TimeZone: "Moon"},
		"account":  {Account: "a</Name>", Password: "ABCDEF234567"},
	} {
		if _, err := StarterWith(c); fault.From(err).Field != choice {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := StarterWith(Choices{Account: "ok", Password: "short"}); err == nil {
		t.Error("a short password is taken")
	}
}

// Each zone is the one that CLDR has for Windows' name: Go keeps that list for its
// own use on Windows.
func TestTimeZones(t *testing.T) {
	t.Parallel()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src", "time", "zoneinfo_abbrs_windows.go"))
	if err != nil {
		t.Fatal(err)
	}
	ahead := map[string]time.Duration{
		"UTC": 0, "Pacific Standard Time": -8 * time.Hour, "India Standard Time": 5*time.Hour + 30*time.Minute,
		"W. Europe Standard Time": time.Hour, "E. South America Standard Time": -3 * time.Hour, "AUS Eastern Standard Time": 10 * time.Hour, // where July is winter
	}
	for _, z := range TimeZones {
		line := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(`"`+z.Name+`":`) + `.*// (\S+)$`).FindSubmatch(list)
		if line == nil || string(line[1]) != z.Place {
			t.Errorf("%s is %s, and by CLDR %q", z.Name, z.Place, line)
		}
		if _, err := time.LoadLocation(z.Place); err != nil {
			t.Error(err)
		}
		got := z.Ahead(time.Date(2026, time.July, 5, 12, 0, 0, 0, time.UTC))
		if want, ok := ahead[z.Name]; ok && got != want {
			t.Errorf("%s is %v ahead, want %v", z.Name, got, want)
		}
		delete(ahead, z.Name)
	}
	if len(ahead) > 0 {
		t.Errorf("not offered: %v", ahead)
	}
}

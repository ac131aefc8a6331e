package locale_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stickpress/stickpress/web/locale"
)

func catalogue(t *testing.T, name string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, k := range key.FindAllStringSubmatch(string(raw), -1) {
		keys = append(keys, k[1])
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(m)), keys); d != "" {
		t.Errorf("%s.json is not sorted, or has a key twice (-sorted +file):\n%s", name, d)
	}
	return m
}

var key = regexp.MustCompile(`(?m)^  "([^"]+)": `)

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// Every language has the same keys with the same parameters.
func TestCatalogueParity(t *testing.T) {
	t.Parallel()
	en, zh := catalogue(t, "en"), catalogue(t, "zh-CN")
	if d := cmp.Diff(slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(zh))); d != "" {
		t.Errorf("keys differ (-en +zh-CN):\n%s", d)
	}
	for key, message := range en {
		want, have := placeholder.FindAllString(message, -1), placeholder.FindAllString(zh[key], -1)
		sort.Strings(want)
		sort.Strings(have)
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("parameters of %s differ (-en +zh-CN):\n%s", key, d)
		}
		if strings.TrimSpace(message) == "" || strings.TrimSpace(zh[key]) == "" {
			t.Errorf("%s is empty", key)
		}
	}
}

// Every key that the pages ask for exists, and every key is asked for. Keys
// whose end is computed ("state."+state) count by their beginning.
func TestCatalogueUse(t *testing.T) {
	t.Parallel()
	en := catalogue(t, "en")
	quoted := regexp.MustCompile(`"([a-z_]+\.[a-zA-Z0-9_.-]*)"`)
	asked := map[string]bool{}
	for _, root := range []string{"..", "../../api", "../../cmd", "../../agent", "../../store"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist") {
				return filepath.SkipDir
			}
			ext := filepath.Ext(path)
			if ext != ".go" && ext != ".templ" || strings.HasSuffix(path, "_templ.go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			raw, err := os.ReadFile(path)
			for _, m := range quoted.FindAllStringSubmatch(string(raw), -1) {
				asked[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	family := map[string]bool{}
	for key := range en {
		prefix, _, _ := strings.Cut(key, ".")
		family[prefix] = true
	}
	for key := range asked {
		prefix, rest, _ := strings.Cut(key, ".")
		if !family[prefix] || rest == "" || strings.HasSuffix(key, "_") || isFile(key) {
			continue
		}
		_, plain := en[key]
		_, one := en[key+".one"]
		if !plain && !one {
			t.Errorf("%s is asked for and not in the catalogue", key)
		}
	}
	computed := []string{"filter.field_", "filter.search_", "view.list_", "nav_group.", "ports.note_", "ports.step_", "fault.", "log.", "check.", "verdict.", "lint.", "event.", "stick_event.", "event_type.", "state.", "state_hint.", "step.", "step_now.", "step_state.", "role.", "kind.", "job_kind.", "found.", "what.", "why.", "nav.", "sequence.layout_", "sequence.signature_", "life.", "wipe.method_", "wipe.passes_", "certificate.how_", "certificate.limit_", "certificate.class_", "certificate.fallback_", "certificate.result_", "verify.evidence_", "verify.outcome_", "stick.checked_"}
	computed = append(computed, "setting.name_", "first_run.name_", "first_run.about_", "first_run.skip_", "first_run.state_", "setting.about_", "setting.origin_", "setting.group_", "setting.changed_", "site.back_", "site.retired_", "sequence.back_", "sequence.retired_", "template.back_", "template.retired_")
	computed = append(computed, "connector.system_", "connector.method_", "connector.outcome_", "connector.why_", "connector.back_", "connector.retired_", "mapping.field_", "mapping.about_", "mapping.from_", "write_back.event_", "write_back.auth_", "write_back.state_")
	computed = append(computed, "webhook.cause_", "zone.", "token.scope_", "stick_task.", "stick.tasks_", "stick_event.data_", "data.is_")
	computed = append(computed, "action.", "field.", "audit.by_", "method.", "user.act_", "user.origin_")
	for key := range en {
		base := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		used := asked[key] || asked[base] || slices.ContainsFunc(computed, func(p string) bool { return strings.HasPrefix(key, p) })
		if !used {
			t.Errorf("%s is in the catalogue and nobody asks for it", key)
		}
	}
}

func isFile(key string) bool {
	switch filepath.Ext(key) {
	case ".go", ".json", ".md", ".sql", ".service", ".toml", ".wim", ".img", ".log", ".bin", ".efi", ".exe", ".ntfs", ".css", ".js", ".lock", ".dll", ".ttf", ".txt":
		return true
	}
	return false
}

// Every code that a fault can have has a sentence. Codes are found where they
// are made: as the argument after the kind, as a constant Fault… or Code…, or
// by one of the helpers that make a code.
func TestFaultSentences(t *testing.T) {
	t.Parallel()
	en := catalogue(t, "en")
	made := regexp.MustCompile(`(?s)fault\.(?:New|Wrap)\([^"]*?fault\.Kind[A-Za-z]+,\s*"([a-z0-9_]+)"`)
	constant := regexp.MustCompile(`(?:Fault|[cC]ode)[A-Za-z]*\s*(?:fault\.Code\s*)?=\s*"([a-z0-9_]+)"`)
	helper := regexp.MustCompile(`\b(?:unavailable|refuse)\([^"\n]*?, "([a-z0-9_]+)"|NewFault\("([a-z0-9_]+)"`)
	missing := regexp.MustCompile(`\b(?:NotFound|(?:one|changed)\[\w+\])\((?:ctx, [\w.]+, )?(?:"[a-z_]+", )?"([a-z_]+)", \w`)
	codes := map[string]string{}
	for _, root := range []string{"..", "../../api", "../../store", "../../agent"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			raw, err := os.ReadFile(path)
			for _, m := range made.FindAllStringSubmatch(string(raw), -1) {
				codes[m[1]] = path
			}
			for _, m := range constant.FindAllStringSubmatch(string(raw), -1) {
				codes[m[1]] = path
			}
			for _, m := range helper.FindAllStringSubmatch(string(raw), -1) {
				codes[m[1]+m[2]] = path
			}
			for _, m := range missing.FindAllStringSubmatch(string(raw), -1) {
				codes[m[1]+"_not_found"] = path
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(codes) < 120 {
		t.Fatalf("found only %d codes: the search is broken", len(codes))
	}
	for code, path := range codes {
		_, plain := en["fault."+code]
		_, one := en["fault."+code+".one"]
		if !plain && !one {
			t.Errorf("fault.%s (made in %s) has no sentence", code, path)
		}
	}
}

// Every remark about an answer file and every coded log line has a sentence.
func TestLintAndLogSentences(t *testing.T) {
	t.Parallel()
	en := catalogue(t, "en")
	for _, c := range []struct {
		prefix, root string
		made         *regexp.Regexp
		least        int
	}{
		{"lint.", "../../api/unattend", regexp.MustCompile(`Warn[A-Za-z]+\s*=\s*"([a-z_]+)"`), 8},
		{"log.", "../../agent", regexp.MustCompile(`LogLine\{[^}\n]*Code:\s*"([a-z_]+)"`), 3},
		{"check.", "../../agent/protocol", regexp.MustCompile(`Check[A-Za-z]*\s*CheckName\s*=\s*"([a-z_]+)"`), 9},
		{"verdict.", "../../agent/protocol", regexp.MustCompile(`Verdict[A-Za-z]+\s*Verdict\s*=\s*"([a-z_]+)"`), 4},
		{"event.", "../../store", regexp.MustCompile(`\bEvent\w*\s*(?:EventType\s*)?=\s*"((?:job|build)_[a-z_]+)"`), 10},
	} {
		found := map[string]bool{}
		err := filepath.WalkDir(c.root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			raw, err := os.ReadFile(path)
			for _, m := range c.made.FindAllStringSubmatch(string(raw), -1) {
				found[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) < c.least {
			t.Errorf("found only %d codes of %s: the search is broken", len(found), c.prefix)
		}
		delete(found, "build_log") // shows the line that it carries
		for code := range found {
			if _, ok := en[c.prefix+code]; !ok {
				t.Errorf("%s%s has no sentence", c.prefix, code)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		preferences []string
		want        string
	}{
		{nil, "en"},
		{[]string{""}, "en"},
		{[]string{"", "zh-CN,zh;q=0.9,en;q=0.8"}, "zh-CN"},
		{[]string{"zh-Hans"}, "zh-CN"},
		{[]string{"en", "zh-CN"}, "en"},
		{[]string{"de-DE,de;q=0.9"}, "en"},
		{[]string{"<script>"}, "en"},
	} {
		if got := locale.Match(c.preferences...).String(); got != c.want {
			t.Errorf("Match(%q) = %s, want %s", c.preferences, got, c.want)
		}
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	l := locale.English
	for _, c := range []struct{ got, want string }{
		{l.N("job.title", 1), "1 stick"},
		{l.N("job.title", 2), "2 sticks"},
		{l.T("no.such.key"), "no.such.key"},
		{l.Fault("device_too_small", map[string]string{"have_bytes": "16008609792", "need_bytes": "30064771072", "missing_bytes": "14056161280"}), "The stick is too small: it has 14.9 GiB, 28 GiB are needed, 13.1 GiB are missing."},
		{l.Fault("name_taken", map[string]string{"kind": "task_sequence"}), "There is a task sequence of this name already. Choose another name."},
		{l.Fault("no_such_code", map[string]string{"a": "b"}), "no_such_code map[a:b]"},
		{locale.Bytes(0), "0 B"},
		{locale.Bytes(1023), "1023 B"},
		{locale.Bytes(64_000_000_000), "59.6 GiB"},
		{locale.Bytes(1 << 40), "1 TiB"},
		{locale.Rate(123_456_789), "123.5 MB/s"},
		{locale.Duration(7 * time.Second), "0:07"},
		{locale.Duration(3723 * time.Second), "1:02:03"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

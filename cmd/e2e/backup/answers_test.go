package backup

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// elsewhere are paths whose answers are about the machine, and not about what
// the console knows.
var elsewhere = map[string]string{
	"/overview":     "how much of the disk and the database is in use",
	"/settings":     "where the server's own settings come from",
	"/audit/export": "the same as /audit, which has a line more for each time that it is read",
}

// answered are paths that must have been compared: of each there is something.
var answered = []string{
	"/audit", "/hosts", "/hosts/{host}", "/images", "/images/{image}", "/jobs", "/jobs/{job}", "/sticks", "/sticks/{stick}",
	"/templates", "/templates/{template}", "/task-sequences", "/tokens", "/users", "/certificates/{certificate}",
}

// document is as much of the API's description as is needed to ask for everything.
type document struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]json.RawMessage `json:"content"`
		} `json:"responses"`
		Parameters []struct {
			In       string `json:"in"`
			Required bool   `json:"required"`
		} `json:"parameters"`
	} `json:"paths"`
}

// asker asks a console for all that it tells.
type asker struct {
	w     *world.World
	token string
	found map[string]string // what a path answered
	names map[string]bool   // that may stand in a path: IDs, and names of things
}

// answers are what a console says to every GET that its description has, for every
// thing that it has.
func answers(w *world.World, token string) map[string]string {
	w.T.Helper()
	var doc document
	_, raw := (&asker{w: w, token: token}).get("/openapi.json")
	if err := json.Unmarshal(raw, &doc); err != nil {
		w.T.Fatal(err)
	}
	a := &asker{w: w, token: token, found: map[string]string{}, names: map[string]bool{}}
	for _, path := range slices.SortedFunc(maps.Keys(doc.Paths), func(x, y string) int { return len(x) - len(y) }) {
		get, ok := doc.Paths[path]["get"]
		_, stream := get.Responses["200"].Content["text/event-stream"]
		if !ok || stream || elsewhere[path] != "" {
			continue
		}
		for _, at := range a.fill(path) {
			if status, raw := a.get(at); status == http.StatusOK {
				a.found[at] = plain(path, raw)
				a.learn(raw)
			}
		}
	}
	return a.found
}

// get asks for one path.
func (a *asker) get(path string) (int, []byte) {
	a.w.T.Helper()
	req, err := http.NewRequestWithContext(a.w.Context(), http.MethodGet, a.w.URL+"/api/v1"+path, http.NoBody)
	if err != nil {
		a.w.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.w.T.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		a.w.T.Fatal(err)
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		a.w.T.Errorf("GET %s: %s\n%s", path, resp.Status, raw)
	}
	return resp.StatusCode, raw
}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// fill puts IDs into the places of a path, of the kind that the word before says.
func (a *asker) fill(path string) []string {
	at := parameter.FindStringIndex(path)
	if at == nil {
		return []string{path}
	}
	words := strings.Split(strings.TrimSuffix(path[:at[0]], "/"), "/")
	kind := strings.TrimSuffix(words[len(words)-1], "s")
	if other := kinds[kind]; other != "" {
		kind = other
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(a.names)) {
		if strings.HasPrefix(name, kind+"_") {
			out = append(out, a.fill(path[:at[0]]+name+path[at[1]:])...)
		}
	}
	return out
}

// kinds are the prefixes of IDs that are not the word in the path.
var kinds = map[string]string{
	"version": "ver", "channel": "chan", "template": "tpl", "task-sequence": "seq", "certificate": "cert",
}

// learn takes the IDs and names out of an answer.
func (a *asker) learn(raw []byte) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		case string:
			if id.MatchString(v) {
				a.names[v] = true
			}
		}
	}
	walk(v)
}

// id is the form of prefixed IDs.
var id = regexp.MustCompile(`^[a-z]+_[0-9a-hjkmnp-tv-z]{26}$`)

// changing are fields that asking changes.
var changing = regexp.MustCompile(`"last_used_at":"[^"]*"`)

// place is the ID of an event: the number of its transaction, which is another in
// each cluster, its stream, and its number there.
var place = regexp.MustCompile(`"evt_[0-9a-f]+([js][0-9a-f]+)"`)

// plain is an answer without what is another at each time and place.
func plain(path string, raw []byte) string {
	text := place.ReplaceAllString(changing.ReplaceAllString(string(raw), `"last_used_at":""`), `"evt_$1"`)
	var list struct {
		Items []map[string]any `json:"items"`
	}
	if path != "/audit" && path != "/history" || json.Unmarshal([]byte(text), &list) != nil {
		return text
	}
	lines := make([]string, 0, len(list.Items))
	for _, item := range list.Items {
		if item["action"] == "template_source" || item["action"] == "export_audit" {
			continue // somebody asked
		}
		line, err := json.Marshal(item)
		if err != nil {
			return text
		}
		lines = append(lines, string(line))
	}
	if path == "/history" { // how streams lie beside each other goes by the cluster's transactions
		slices.Sort(lines)
	}
	return strings.Join(lines, "\n")
}

func compare(t *testing.T, before, after map[string]string) {
	t.Helper()
	if len(before) != len(after) {
		t.Errorf("%d answers, and %d after the restore", len(before), len(after))
	}
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if after[path] != before[path] {
			t.Errorf("GET %s answered\n%s\nand after the restore\n%s", path, before[path], after[path])
		}
	}
	for _, want := range answered {
		form := regexp.MustCompile("^" + parameter.ReplaceAllString(want, "[^/]+") + "$")
		if !slices.ContainsFunc(slices.Collect(maps.Keys(before)), form.MatchString) {
			t.Errorf("%s was never answered", want)
		}
	}
	t.Logf("%d answers were compared", len(before))
}

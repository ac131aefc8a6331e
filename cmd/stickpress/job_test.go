package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/web/locale"
	"github.com/stickpress/stickpress/web/view"
)

// What the page of a job gives people to copy is understood: every curl line
// names an operation of the API, every line of this program a command with the
// flags and arguments that it takes.
func TestCopiedCommands(t *testing.T) {
	t.Parallel()
	known := operations(t)
	f := view.Frame{L: locale.English, Actor: api.System("test")}
	job := api.Job{ID: "job_01jd6y9k3te0mv8b0g2z5q4w7x", Kind: protocol.JobPress, State: "running", Builds: []api.Build{
		{ID: "build_01jd6y9k3te0mv8b0g2z5q4w7x", Position: 1, State: "running"}, {ID: "build_01jd6y9k3te0mv8b0g2z5q4w7y", Position: 2, State: "failed"},
	}}
	commands := view.JobCommands(f, "https://sticks.example.org", job)
	if len(commands) < 5 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, c := range commands {
		method, path := curlOf(t, c.Curl)
		if !slices.ContainsFunc(known, func(op string) bool { return sameOperation(op, method, path) }) {
			t.Errorf("%s: the API has no %s %s", c.ID, method, path)
		}
		words := shellWords(t, c.CLI)
		if len(words) == 0 || words[0] != "stickpress" {
			t.Fatalf("%s: not a command of this program: %s", c.ID, c.CLI)
		}
		found, rest, err := rootCommand(nil).Find(words[1:])
		if err != nil || !found.Runnable() {
			t.Fatalf("%s: no such command: %s (%v)", c.ID, c.CLI, err)
		}
		if err := found.ParseFlags(rest); err != nil {
			t.Errorf("%s: %s: %v", c.ID, c.CLI, err)
		}
		if err := found.ValidateArgs(found.Flags().Args()); err != nil {
			t.Errorf("%s: %s: %v", c.ID, c.CLI, err)
		}
	}
}

// operations are those of the API's document, "GET /jobs/{job}".
func operations(t *testing.T) []string {
	t.Helper()
	door, err := rest.New(rest.Deps{Console: new(api.Console), Uploads: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	door.Mount(r)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, rest.Prefix+"/openapi.json", http.NoBody))
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	var all []string
	for path, methods := range doc.Paths {
		for method := range methods {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	return all
}

// curlOf reads what a curl line asks for: the method, and the path below the
// API's prefix.
func curlOf(t *testing.T, line string) (method, path string) {
	t.Helper()
	words := shellWords(t, line)
	if len(words) == 0 || words[0] != "curl" {
		t.Fatalf("not a curl line: %s", line)
	}
	method = "GET"
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-fsS":
		case "-H":
			i++
			if words[i] != "Authorization: Bearer $STICKPRESS_TOKEN" {
				t.Errorf("the header is %q", words[i])
			}
		case "-X":
			i++
			method = words[i]
		default:
			u, err := url.Parse(words[i])
			if err != nil || u.Host != "sticks.example.org" || path != "" {
				t.Fatalf("%q in %s", words[i], line)
			}
			path = strings.TrimPrefix(u.Path, rest.Prefix)
		}
	}
	return method, path
}

// sameOperation reports whether a path is one of an operation "GET /jobs/{job}".
func sameOperation(op, method, path string) bool {
	m, pattern, _ := strings.Cut(op, " ")
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	return m == method && slices.EqualFunc(want, have, func(p, s string) bool {
		return p == s || strings.HasPrefix(p, "{") && s != ""
	})
}

// shellWords splits a line as a shell does, without expanding anything.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		t.Fatalf("a quote is open in %s", line)
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

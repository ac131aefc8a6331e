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
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/web/locale"
	"github.com/stickpress/stickpress/web/view"
)

// What the page of a job gives people to copy is understood, whatever the job's
// state: every curl line names an operation of the API and sends what that takes,
// every line of this program a command with the flags and arguments that it takes.
func TestCopiedCommands(t *testing.T) {
	t.Parallel()
	known := operations(t)
	f := view.Frame{L: locale.English, Actor: api.System("test")}
	for want, job := range copiedJobs() {
		t.Run(want, func(t *testing.T) {
			commands := view.JobCommands(f, "https://sticks.example.org", job)
			if !slices.ContainsFunc(commands, func(c view.Command) bool { return c.ID == want }) {
				t.Fatalf("no command %s of %d", want, len(commands))
			}
			for _, c := range commands {
				method, path, body := curlOf(t, c.Curl)
				if !slices.ContainsFunc(known, func(op string) bool { return sameOperation(op, method, path) }) {
					t.Errorf("%s: the API has no %s %s", c.ID, method, path)
				}
				takes(t, method+" "+path[strings.LastIndex(path, "/"):], body)
				understands(t, c)
			}
		})
	}
}

// copiedJobs are jobs by the command that only such a job has.
func copiedJobs() map[string]api.Job {
	job := api.Job{
		ID: "job_01jd6y9k3te0mv8b0g2z5q4w7x", Kind: protocol.JobPress, State: "running", Revision: 3, HostName: "bench-1", HostID: "host_1",
		ImageName: "win11-ent", Version: "24.2.1", VersionID: "ver_1", TaskSequenceID: "seq_1", TaskSequenceName: "Portable Windows", Layout: "mbr-dual",
		Holder: "Conan O'Brien", ExternalRef: api.Ticket("INC-1"), Variables: map[string]string{"computer_name": "NB-{n:02}"},
		Builds: []api.Build{
			{ID: "build_01jd6y9k3te0mv8b0g2z5q4w7x", Position: 1, State: "running", Identity: protocol.Identity{Port: "1-1"}},
			{ID: "build_01jd6y9k3te0mv8b0g2z5q4w7y", Position: 2, State: "failed", EndedAt: new(time.Time), Identity: protocol.Identity{Port: "1-2"}, Holder: "Conan O'Brien"},
		},
	}
	later, ended := job, job
	at := time.Now().Add(24 * time.Hour)
	later.State, later.NotBefore = "queued", &at
	ended.State, ended.EndedAt = "failed", &at
	ended.Options.EraseFirst = true
	wiped := ended
	wiped.Kind, wiped.Options = protocol.JobWipe, protocol.JobOptions{Wipe: &protocol.WipeOptions{Method: protocol.WipeOverwrite}}
	wiped.VersionID, wiped.Builds = "", job.Builds[1:]
	return map[string]api.Job{"cancel-1": job, "retry-2": job, "schedule": later, "again": ended, "retry": wiped}
}

// takes reports what the API would not take of a body.
func takes(t *testing.T, operation, body string) {
	t.Helper()
	var into any
	switch {
	case body == "":
		return
	case operation == "POST /jobs":
		into = new(wire.QueueJob)
	case operation == "POST /retries":
		into = new(wire.RetryBuilds)
	case operation == "PUT /schedule":
		into = new(wire.ScheduleJob)
	default:
		t.Fatalf("%s takes no body", operation)
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Errorf("%s: %v in %s", operation, err, body)
	}
	if q, ok := into.(*wire.QueueJob); ok && (len(q.Devices) == 0 || q.Devices[0].Identity.Port == "") {
		t.Errorf("the job is %+v", q)
	}
}

// understands reports what this program would not understand of a line.
func understands(t *testing.T, c view.Command) {
	t.Helper()
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
	if to := found.Flags().Lookup("for"); to != nil && to.Value.String() != "Conan O'Brien" {
		t.Errorf("%s is for %s", c.CLI, to.Value)
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

// curlOf reads what a curl line asks for: the method, the path below the API's
// prefix, and what it sends.
func curlOf(t *testing.T, line string) (method, path, body string) {
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
			switch words[i] {
			case "Authorization: Bearer $STICKPRESS_TOKEN", "Content-Type: application/json", `If-Match: "3"`:
			default:
				t.Errorf("the header is %q", words[i])
			}
		case "-d":
			i++
			body = words[i]
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
	return method, path, body
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

package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// The maps once more, by hand and as a square: a row is from, a column to.
const (
	jobSquare = `
	           queued running cancelling succeeded failed cancelled
	queued     .      x       .          .         x      x
	running    .      .       x          x         x      x
	cancelling .      .       .          x         x      x
	succeeded  .      .       .          .         .      .
	failed     x      .       .          .         .      .
	cancelled  x      .       .          .         .      .`
	buildSquare = `
	           queued assigned running verified failed cancelled
	queued     .      x        .       .        .      x
	assigned   .      .        x       .        x      x
	running    .      .        .       x        x      x
	verified   .      .        .       .        .      .
	failed     x      .        .       .        .      .
	cancelled  x      .        .       .        .      .`
	lifeSquare = `
	           stock issued returned lost retired
	stock      .     x      x        x    x
	issued     x     .      x        x    .
	returned   x     x      .        x    x
	lost       .     .      x        .    x
	retired    .     .      x        .    .`
)

func TestEveryPairOfStates(t *testing.T) {
	t.Parallel()
	checkSquare(t, jobSquare, store.JobStates, store.JobState.CanBecome)
	checkSquare(t, buildSquare, store.BuildStates, store.BuildState.CanBecome)
	checkSquare(t, lifeSquare, store.StickLives, store.StickLife.CanBecome)
}

func checkSquare[S ~string](t *testing.T, square string, states []S, can func(S, S) bool) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(square), "\n")
	names := strings.Fields(lines[0])
	if len(names) != len(states) || len(lines) != len(states)+1 {
		t.Fatalf("the square has %d states, there are %d", len(names), len(states))
	}
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		for i, to := range names {
			if got := can(S(cells[0]), S(to)); got != (cells[i+1] == "x") {
				t.Errorf("%s to %s: allowed %t", cells[0], to, got)
			}
		}
	}
}

// The CHECK constraints list the same words as the program.
func TestChecksMatchTheProgram(t *testing.T) {
	t.Parallel()
	st := open(t)
	quoted := regexp.MustCompile(`'([^']*)'`)
	for constraint, want := range map[string][]string{
		"jobs_state_check":                            texts(store.JobStates),
		"jobs_kind_check":                             texts(protocol.JobKinds),
		"builds_state_check":                          texts(store.BuildStates),
		"sticks_state_check":                          texts(store.StickStates),
		"sticks_life_check":                           texts(store.StickLives),
		"stick_tasks_kind_check":                      store.StickTasks,
		"hosts_state_check":                           texts(store.HostStates),
		"build_attempts_state_check":                  texts(store.AttemptStates),
		"image_versions_state_check":                  texts(store.VersionStates),
		"image_versions_format_check":                 store.Formats,
		"task_sequence_versions_layout_check":         store.Layouts,
		"task_sequence_versions_boot_signature_check": store.BootSignatures,
		"users_role_check":                            texts(store.Roles),
		"api_tokens_role_check":                       texts(store.Roles),
		"audit_actor_kind_check": texts([]store.ActorKind{
			store.ActorUser, store.ActorToken, store.ActorHost, store.ActorSystem, store.ActorAnonymous,
		}),
		"one_time_tokens_purpose_check": texts([]store.Purpose{
			store.PurposeSetup, store.PurposeSignIn, store.PurposeEnroll, store.PurposePassword,
		}),
	} {
		var definition string
		err := st.Pool().QueryRow(t.Context(),
			`SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1`, constraint).Scan(&definition)
		if err != nil {
			t.Errorf("%s: %v", constraint, err)
			continue
		}
		var got []string
		for _, m := range quoted.FindAllStringSubmatch(definition, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s lists %q, the program %q", constraint, got, want)
		}
	}
}

func texts[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// docs/states.md is drawn from the maps: go test ./store -run States -update.
func TestStatesAreDrawn(t *testing.T) {
	t.Parallel()
	var doc strings.Builder
	doc.WriteString(`# States

Generated from ` + "`store/state.go`" + ` by ` + "`go test ./store -run TestStatesAreDrawn -update`" + `; do not edit.

A job's state follows from those of its builds. Both change only by an event in ` + "`job_events`" + `, in the transaction that
writes the event (` + "`store/project.go`" + `). CHECK constraints hold the lists of states, a test compares them with the program.

A build is one stick. Each time a host claims it a new attempt begins, with the next number. The host holds the lease of
the attempt until it reports the end or an admin declares the host lost; only then may there be another attempt.

`)
	draw(&doc, "Jobs", store.JobQueued, store.JobStates, store.JobTransitions, store.JobState.Final)
	doc.WriteString("\n")
	draw(&doc, "Builds", store.BuildQueued, store.BuildStates, store.BuildTransitions, store.BuildState.Final)
	doc.WriteString(`
## Sticks

What a stick carries, a projection of ` + "`stick_events`" + `. A stick keeps its state until the first byte is about to be written.

| state | meaning |
|---|---|
| unknown | nothing was written by us |
| pressing | being written |
| verified | carries a verified image version |
| incomplete | begun and not finished, or held by a host that was lost: must not be handed out |
| erasing | being wiped |
| wiped | erased and read back: carries nothing, and there is a certificate of that |

A build that only reads (verify, capture) leaves its stick what it was, however it ends. A wipe that its host does not
prove, and a capture that names no version which its job published, have failed (` + "`store/report.go`, `unproven`" + `).

Apart from that a stick has a life. Its holder is the one for whom its content was pressed, from the first byte on, until
it is wiped or a verified press for somebody else, which an admin let pass, has taken its place. Where such a press
fails, the stick may hold something of both, and is neither's (` + "`store/life.go`, `NeedsWipe`" + `).

A stick that is lost or retired is not written to, whatever an admin lets pass: it is found, or taken back, first. No move
is possible while a build holds the stick, so that no report of a host meets a life that does not allow it
(` + "`store/handover.go`" + `). A loss leaves tasks, to be ticked off until the stick is found (` + "`store/stick_task.go`" + `).

A stick that came back may hold what its user made. Nothing is written to it, whatever an admin lets pass, before somebody
said that it holds none, that it was copied, or signed its loss; a capture, or a comparison that finds the stick as it was
pressed, says so, too (` + "`store/stick_data.go`" + `). That a stick was handed out or returned can be taken back as long as
nothing happened to it since (` + "`store/handover_undo.go`" + `).

`)
	draw(&doc, "Lives of sticks", store.StickStock, store.StickLives, store.LifeTransitions, func(store.StickLife) bool { return false })
	path := filepath.Join("..", "docs", "states.md")
	if *update {
		if err := os.WriteFile(path, []byte(doc.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || string(have) != doc.String() {
		t.Errorf("%s is out of step (%v): run go test ./store -run TestStatesAreDrawn -update", path, err)
	}
}

func draw[S ~string](doc *strings.Builder, title string, first S, states []S, m []store.Transition[S], final func(S) bool) {
	fmt.Fprintf(doc, "## %s\n\n```mermaid\nstateDiagram-v2\n    [*] --> %s\n", title, first)
	for _, t := range m {
		fmt.Fprintf(doc, "    %s --> %s\n", t.From, t.To)
	}
	for _, s := range states {
		if final(s) {
			fmt.Fprintf(doc, "    %s --> [*]\n", s)
		}
	}
	doc.WriteString("```\n\n| from | to | when |\n|---|---|---|\n")
	for _, t := range m {
		fmt.Fprintf(doc, "| %s | %s | %s |\n", t.From, t.To, t.Why)
	}
}

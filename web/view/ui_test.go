package view

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unseen are components that /ui does not show by themselves, each with the reason.
var unseen = map[string]string{
	"Owner":          "nobody sees it",
	"ConnectionLost": "it lies over the page",
	"InTheWay":       "it leads to a job that there is",
	"Crumb":          "Crumbs of one step",
	"Group":          "part of Choices",
	"Shape":          "part of a Badge",
	"StepMark":       "part of a Step",
	"PortSocket":     "part of a PortMap",
}

// The page /ui shows every component and every state that a badge tells.
func TestUIShowsAll(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("ui.templ")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("component*.templ")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "chart.templ", "portmap.templ", "strip.templ", "qr.templ")
	component, found := regexp.MustCompile(`(?m)^templ ([A-Z]\w*)\(`), 0
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range component.FindAllSubmatch(source, -1) {
			found++
			shown := bytes.Contains(page, []byte("@"+string(m[1])+"("))
			if reason := unseen[string(m[1])]; shown == (reason != "") {
				t.Errorf("%s of %s: shown on /ui is %v, and the reason not to is %q", m[1], name, shown, reason)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d components were found", found)
	}
	catalogue, err := os.ReadFile("../locale/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var words map[string]string
	if err := json.Unmarshal(catalogue, &words); err != nil {
		t.Fatal(err)
	}
	var states []string
	for key := range words {
		if state, ok := strings.CutPrefix(key, "state."); ok {
			states = append(states, state)
		}
	}
	if slices.Sort(states); !slices.Equal(states, slices.Sorted(slices.Values(uiStateNames))) {
		t.Errorf("the badges of /ui are not the states that have words: %v", states)
	}
}

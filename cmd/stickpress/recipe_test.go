package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/cmd/e2e/recipe"
)

// What the documents tell people to type is understood: pipelines can be read,
// shells read their shell, and every line of this program names a command with
// the flags and arguments that it takes.
func TestRecipes(t *testing.T) {
	t.Parallel()
	docs := filepath.Join("..", "..", "docs")
	pages, err := filepath.Glob(filepath.Join(docs, "ci", "*.md"))
	if err != nil || len(pages) != 4 {
		t.Fatalf("pages are %v, %v", pages, err)
	}
	pages = append(pages, filepath.Join(docs, "cli.md"), filepath.Join(docs, "..", "README.md"))
	for _, page := range pages {
		blocks, err := recipe.Blocks(page)
		if err != nil {
			t.Fatal(err)
		}
		adds := 0
		for _, b := range blocks {
			steps, err := b.Steps()
			if err != nil {
				t.Errorf("%s:%d: %v", page, b.Line, err)
			}
			for _, s := range steps {
				if out, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", s.Shell).CombinedOutput(); err != nil {
					t.Errorf("%s:%d: %v: %s", page, b.Line, err, out)
				}
				commands, err := recipe.Commands(s.Shell, "stickpress")
				if err != nil && !strings.Contains(s.Shell, "<(") { // the one thing of bash that the documents use
					t.Errorf("%s:%d: %v", page, b.Line, err)
				}
				for _, args := range commands {
					understand(t, page, b.Line, args)
					if len(args) > 1 && args[0] == "image" && args[1] == "add" && b.Language != "sh" {
						adds++
						for _, flag := range []string{"--version", "--commit", "--channel"} {
							if !slices.Contains(args, flag) {
								t.Errorf("%s:%d: no %s in %v", page, b.Line, flag, args)
							}
						}
					}
				}
			}
		}
		if pipeline := filepath.Base(filepath.Dir(page)) == "ci" && filepath.Base(page) != "README.md"; pipeline != (adds == 1) {
			t.Errorf("%s publishes %d images", page, adds)
		}
	}
}

// understand fails unless a command line is one of this program.
func understand(t *testing.T, page string, line int, args []string) {
	t.Helper()
	found, rest, err := rootCommand(nil).Find(args)
	if err != nil {
		t.Errorf("%s:%d: %v: %v", page, line, args, err)
		return
	}
	if err := found.ParseFlags(rest); err != nil {
		t.Errorf("%s:%d: %v: %v", page, line, args, err)
		return
	}
	if h := found.Flags().Lookup("help"); h != nil && h.Changed {
		return
	}
	for _, err := range []error{found.ValidateArgs(found.Flags().Args()), found.ValidateRequiredFlags(), found.ValidateFlagGroups()} {
		if err != nil {
			t.Errorf("%s:%d: %v: %v", page, line, args, err)
		}
	}
}

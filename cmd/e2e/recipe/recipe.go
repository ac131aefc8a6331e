// Package recipe reads what the documents tell people to type: the fenced
// blocks of a page, and of the pipelines in docs/ci the shell that their
// runners would run. Tests check and run it, so that the documents stay true.
package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"mvdan.cc/sh/v3/syntax"
)

// Block is one fenced block of a page.
type Block struct {
	Language string // "sh", "yaml", "groovy"; may be empty
	Line     int    // of its first line in the page
	Text     string
}

// Blocks reads the fenced blocks of a Markdown page (CommonMark 0.31, section
// 4.5, fences of three backticks only).
func Blocks(path string) ([]Block, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []Block
	var open *Block
	n := 0
	for line := range strings.Lines(string(raw)) {
		n++
		fence, ok := strings.CutPrefix(line, "```")
		switch {
		case ok && open == nil:
			open = &Block{Language: strings.TrimSpace(fence), Line: n + 1}
		case ok:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.Text += line
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: the block does not end", path, open.Line)
	}
	return all, nil
}

// Step is one piece of shell that a runner runs in a shell of its own.
type Step struct {
	Name  string
	Shell string
}

// Steps are the shell of a pipeline: a block of GitHub Actions or GitLab
// (yaml), or of Jenkins (groovy). Of another language there are none.
func (b Block) Steps() ([]Step, error) {
	switch b.Language {
	case "yaml":
		return yamlSteps(b.Text)
	case "groovy":
		return groovySteps(b.Text)
	case "sh":
		return []Step{{Shell: b.Text}}, nil
	}
	return nil, nil
}

func yamlSteps(text string) ([]Step, error) {
	var top map[string]yaml.Node
	d := yaml.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&top); err != nil {
		return nil, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more than one document: %w", err)
	}
	var steps []Step
	for name, node := range top {
		// https://docs.gitlab.com/ci/yaml/#script: one shell for all lines.
		var job struct {
			Script []string `yaml:"script"`
		}
		if node.Kind == yaml.MappingNode && node.Decode(&job) == nil && len(job.Script) > 0 {
			steps = append(steps, Step{Name: name, Shell: strings.Join(job.Script, "\n")})
		}
	}
	// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsrun
	if node, ok := top["jobs"]; ok {
		var jobs map[string]struct {
			Steps []struct {
				Name string `yaml:"name"`
				Run  string `yaml:"run"`
			} `yaml:"steps"`
		}
		if err := node.Decode(&jobs); err != nil {
			return nil, err
		}
		for _, job := range jobs {
			for _, s := range job.Steps {
				if s.Run != "" {
					steps = append(steps, Step{Name: s.Name, Shell: s.Run})
				}
			}
		}
	}
	return steps, nil
}

// groovyString matches the argument of an sh step: a string in three or in one
// pair of single quotes (Groovy's documentation, "Syntax", 4.1 and 4.4).
var groovyString = regexp.MustCompile(`(?s)\bsh\s+(?:'''(.*?)'''|'((?:[^'\\\n]|\\.)*)')`)

func groovySteps(text string) ([]Step, error) {
	rest := groovyString.ReplaceAllString(text, "sh")
	for _, pair := range []string{"{}", "()", "[]"} {
		if strings.Count(rest, pair[:1]) != strings.Count(rest, pair[1:]) {
			return nil, fmt.Errorf("%s do not go in pairs", pair)
		}
	}
	if strings.Count(rest, "'")%2 != 0 {
		return nil, errors.New("a string does not end")
	}
	var steps []Step
	for _, m := range groovyString.FindAllStringSubmatch(text, -1) {
		shell := strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\$`, `$`).Replace(m[1] + m[2])
		steps = append(steps, Step{Shell: shell})
	}
	return steps, nil
}

// Commands are the command lines of a program in a piece of shell, each with
// its arguments; what only a shell knows, such as "$version", is one word "x". It
// fails on what no POSIX shell reads.
func Commands(shell, program string) ([][]string, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(shell), "")
	if err != nil {
		return nil, err
	}
	var all [][]string
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 || call.Args[0].Lit() != program {
			return true
		}
		args := []string{}
		for _, w := range call.Args[1:] {
			args = append(args, wordOf(w))
		}
		all = append(all, args)
		return true
	})
	return all, nil
}

// wordOf is a word without its quotes.
func wordOf(w *syntax.Word) string {
	var b bytes.Buffer
	var parts func([]syntax.WordPart)
	parts = func(all []syntax.WordPart) {
		for _, p := range all {
			switch p := p.(type) {
			case *syntax.Lit:
				b.WriteString(p.Value)
			case *syntax.SglQuoted:
				b.WriteString(p.Value)
			case *syntax.DblQuoted:
				parts(p.Parts)
			default:
				b.WriteString("x")
			}
		}
	}
	parts(w.Parts)
	return b.String()
}

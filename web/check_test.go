package web_test

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web"
)

// Texts that stand for a missing sentence, or for one that was not filled in.
var (
	bareKey = regexp.MustCompile(`(?:^|\s)(?:account|action|audit|method|session|totp|capture|certificate|channel|device|edition|event|exclusions|fault|filter|first_run|frame|host|image|job|job_new|life|list|log|lint|nav|overview|role|sequence|setup|sign_in|site|state|state_hint|step|stick|stick_event|template|token|upload|user|verify|version|view|webhook|event_type|wipe)\.[a-z_]{3,}`)
	unset   = regexp.MustCompile(`\{[a-z_]+\}|map\[`)
)

// checkKept wants it decided of every field that is posted whether a form that
// comes too late gets it back (signed_out.go), and that of no secret.
func (p *page) checkKept(n *html.Node) {
	p.t.Helper()
	name, kind := attr(n, "name"), attr(n, "type")
	posted := false
	for up := n.Parent; up != nil; up = up.Parent {
		posted = posted || up.Data == "form" && strings.EqualFold(attr(up, "method"), "post")
	}
	if name == "" || kind == "file" || !posted {
		return
	}
	if kept, decided := web.KeptField(name); !decided || kept && kind == "password" {
		p.t.Errorf("%s: is the field %s of type %q kept? %v, decided %v", p.path, name, kind, kept, decided)
	}
}

// twice is a tag with two names or two IDs: browsers take the first, whatever was
// meant by the other.
var twice = regexp.MustCompile(`<[a-z][^<>]*\s(?:name="[^"<>]*"[^<>]*\sname=|id="[^"<>]*"[^<>]*\sid=)"[^<>]*>`)

// check holds a page to what is true of every page: it can be read by a
// screen reader, keeps the Content-Security-Policy, and shows sentences.
func (p *page) check(locale string) {
	p.t.Helper()
	if tag := twice.FindString(p.body); tag != "" {
		p.t.Errorf("%s: an attribute is there twice: %s", p.path, tag)
	}
	ids := map[string]bool{}
	for n := range p.doc.Descendants() {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				p.t.Errorf("%s: the ID %s is there twice", p.path, id)
			}
			ids[id] = true
		}
	}
	labelled := map[string]bool{}
	for _, n := range p.all("label", "", "") {
		labelled[attr(n, "for")] = true
	}
	for n := range p.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, name := range []string{"aria-describedby", "aria-labelledby", "for", "data-opens", "data-copy"} {
			for id := range strings.FieldsSeq(attr(n, name)) {
				if !ids[id] {
					p.t.Errorf("%s: %s of <%s> names %s, which is not there", p.path, name, n.Data, id)
				}
			}
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				p.t.Errorf("%s: <%s %s=%q> breaks the policy", p.path, n.Data, a.Key, a.Val)
			}
		}
		switch n.Data {
		case "script", "style":
			if n.FirstChild != nil || !strings.HasPrefix(attr(n, "src"), "/static/") {
				p.t.Errorf("%s: an inline <%s>", p.path, n.Data)
			}
		case "input", "select", "textarea":
			p.checkKept(n)
			if attr(n, "type") != "hidden" && attr(n, "aria-label") == "" && !labelled[attr(n, "id")] && !within(n, "label") {
				p.t.Errorf("%s: the field %s has no label", p.path, attr(n, "name"))
			}
		}
	}
	if len(p.all("h1", "", "")) != 1 || len(p.all("main", "", "")) != 1 {
		p.t.Errorf("%s has %d <h1> and %d <main>", p.path, len(p.all("h1", "", "")), len(p.all("main", "", "")))
	}
	if page := p.all("html", "", ""); attr(page[0], "lang") != locale {
		p.t.Errorf("%s is in %s, not in %s", p.path, attr(page[0], "lang"), locale)
	}
	p.checkSentences()
	policy := p.header.Get("Content-Security-Policy")
	if p.path == "/api/docs" { // Scalar puts style sheets of its own into the page
		policy = strings.Replace(policy, "style-src 'self' 'unsafe-inline';", "", 1)
	}
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		p.t.Errorf("%s has the policy %q", p.path, policy)
	}
}

// eventNames takes the types of events out of a text: they look like keys.
var eventNames = func() *strings.Replacer {
	var pairs []string
	for _, k := range api.EventKinds {
		pairs = append(pairs, k.Type, "")
	}
	return strings.NewReplacer(pairs...)
}()

func (p *page) checkSentences() {
	p.t.Helper()
	for n := range p.doc.Descendants() {
		var texts []string
		switch {
		case n.Type == html.TextNode && !within(n, "textarea") && !within(n, "code"):
			texts = []string{n.Data}
		case n.Type == html.ElementNode:
			for _, name := range []string{"aria-label", "title", "placeholder", "data-label", "data-none", "data-one"} {
				texts = append(texts, attr(n, name))
			}
		}
		for _, text := range texts {
			if !strings.ContainsAny(text, ".{[") { // what both look for; most texts have none
				continue
			}
			text = eventNames.Replace(text)
			if m := bareKey.FindString(text); m != "" {
				p.t.Errorf("%s shows a key instead of its sentence: %q", p.path, text)
			}
			if m := unset.FindString(text); m != "" {
				p.t.Errorf("%s shows a sentence that is not filled in: %q", p.path, text)
			}
		}
	}
}

func within(n *html.Node, tag string) bool {
	for a := range n.Ancestors() {
		if a.Data == tag {
			return true
		}
	}
	return false
}

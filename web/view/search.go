package view

import (
	"net/url"
	"strings"

	"github.com/stickpress/stickpress/api"
)

// foundItem is one line of what a search found.
type foundItem struct {
	icon, name, detail, path string
	state                    string // shown as a badge; may be empty
}

// foundGroup is what a search found of one kind.
type foundGroup struct {
	title string // a key of "search."
	items []foundItem
}

// command is something to do, wherever one is.
type command struct {
	key, path string // its name in the catalogue
	use       api.UseCase
}

var commands = []command{
	{"job.new", "/jobs/new", api.UseQueueJob},
	{"search.check", "/jobs/new?kind=verify", api.UseQueueJob},
	{"search.wipe", "/jobs/new?kind=wipe", api.UseQueueJob},
	{"capture.new", "/jobs/new?kind=capture", api.UseCapture},
	{"image.upload", "/images", api.UsePublishVersion},
	{"host.enrol", "/hosts", api.UseCreateEnrolment},
	{"template.new", "/templates/new", api.UseSaveTemplate},
	{"sequence.new", "/task-sequences/new", api.UseSaveTaskSequence},
	{"user.new", "/users/new", api.UseCreateUser},
	{"account.title", "/account", api.UseGetUser},
	{"shortcuts.title", "/shortcuts", api.UseSearch},
	{"ui.title", "/ui", api.UseListAudit},
}

// results sorts what was found into groups: sections and actions by their names
// in the reader's language, then what the console knows.
func (f Frame) results(text string, found []api.Found) []foundGroup {
	has := func(name string) bool {
		return strings.Contains(strings.ToLower(name), strings.ToLower(strings.TrimSpace(text)))
	}
	sections, actions := foundGroup{title: "search.sections"}, foundGroup{title: "search.actions"}
	for _, g := range f.sections() {
		for _, e := range g.entries {
			if name := f.T("nav." + e.section); has(name) {
				item := foundItem{icon: e.section, name: name, path: e.path}
				if e.section == "requests" && f.Requests > 0 {
					item.detail, item.path = f.L.N("search.open_requests", f.Requests), e.path+"?state=open"
				}
				sections.items = append(sections.items, item)
			}
		}
	}
	for _, c := range commands {
		if name := f.T(c.key); f.Actor.Can(c.use) && has(name) {
			actions.items = append(actions.items, foundItem{icon: "go", name: name, path: c.path})
		}
	}
	groups := map[string]*foundGroup{
		"job": {title: "nav.jobs"}, "stick": {title: "nav.sticks"}, "host": {title: "nav.hosts"}, "image": {title: "nav.images"}, "request": {title: "nav.requests"},
	}
	for _, x := range found {
		if g := groups[x.Kind]; g != nil {
			g.items = append(g.items, f.foundItem(x))
		}
	}
	var all []foundGroup
	for _, g := range []foundGroup{actions, sections, *groups["request"], *groups["job"], *groups["stick"], *groups["host"], *groups["image"]} {
		if len(g.items) > 0 {
			all = append(all, g)
		}
	}
	return all
}

func (f Frame) foundItem(x api.Found) foundItem {
	switch x.Kind {
	case "job":
		name := jobSticks(f, x.Job, x.Count)
		if x.Name != "" {
			name = f.T("job.for", "sticks", name, "holder", x.Name)
		}
		return foundItem{icon: "jobs", name: name, detail: x.Detail, state: x.State, path: "/jobs/" + x.ID}
	case "stick":
		detail := serialOr(f, x.Detail)
		if x.Holder != "" {
			detail = x.Holder + " · " + detail
		}
		return foundItem{icon: "sticks", name: deviceName(f, x.Name, ""), detail: detail, state: x.State, path: "/sticks/" + x.ID}
	case "request":
		return foundItem{icon: "requests", name: x.Detail, detail: x.Name, state: x.State, path: "/requests/" + x.ID}
	case "host":
		return foundItem{icon: "hosts", name: x.Name, detail: x.Detail, path: "/hosts/" + x.ID}
	}
	return foundItem{icon: "images", name: x.Name, path: "/images/" + url.PathEscape(x.Name)}
}

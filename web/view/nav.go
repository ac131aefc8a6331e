package view

import "slices"

// navGroup is a part of the navigation.
type navGroup struct {
	name    string // a key of "nav_group."
	entries []navEntry
}

// navOrder says in which group a section stands; one that is not named here
// belongs to the console itself.
var navOrder = []struct {
	name     string
	sections []string
}{
	{"work", []string{"overview", "jobs", "requests", "sticks", "hosts"}},
	{"content", []string{"images", "templates", "sequences"}},
	{"console", nil},
}

// sections are the entries of the navigation that the actor may see, in groups.
func (f Frame) sections() []navGroup {
	var groups []navGroup
	for i, o := range navOrder {
		g := navGroup{name: o.name}
		for _, section := range o.sections {
			for _, e := range navigation {
				if e.section == section && f.Actor.Can(e.use) {
					g.entries = append(g.entries, e)
				}
			}
		}
		if i == len(navOrder)-1 {
			g.entries = f.otherSections()
		}
		if len(g.entries) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

func (f Frame) otherSections() []navEntry {
	var others []navEntry
	for _, e := range navigation {
		named := false
		for _, o := range navOrder {
			named = named || slices.Contains(o.sections, e.section)
		}
		if !named && f.Actor.Can(e.use) {
			others = append(others, e)
		}
	}
	return others
}

// goKeys are what is pressed after G to go to a section.
var goKeys = []struct{ section, key string }{
	{"overview", "O"},
	{"jobs", "J"},
	{"requests", "R"},
	{"sticks", "S"},
	{"hosts", "H"},
	{"images", "I"},
	{"templates", "T"},
	{"sequences", "Q"},
}

// entry is a section of the navigation that the actor may see.
func (f Frame) entry(section string) (navEntry, bool) {
	for _, e := range navigation {
		if e.section == section && f.Actor.Can(e.use) {
			return e, true
		}
	}
	return navEntry{}, false
}

// goKey is the key that leads to a section, or empty.
func goKey(section string) string {
	for _, k := range goKeys {
		if k.section == section {
			return k.key
		}
	}
	return ""
}

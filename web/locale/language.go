package locale

import (
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// dictionaries are CLDR's names of languages, in the order of tags: those two,
// so that the others do not come into the program.
var dictionaries = []*display.Dictionary{display.English, display.SimplifiedChinese}

// LanguageName is what the language calls another one, such as "German
// (Germany)" for de-DE; a tag that is none is returned as it is.
func (l Locale) LanguageName(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return tag
	}
	d := dictionaries[l.index]
	base, _ := t.Base()
	region, sure := t.Region()
	name := d.Languages().Name(language.Make(base.String()))
	if sure != language.Exact {
		return name
	}
	return l.T("locale.of_region", "language", name, "region", d.Regions().Name(region))
}

// Compare orders names as the language's dictionaries do.
func (l Locale) Compare(a, b string) int { return collate.New(tags[l.index]).CompareString(a, b) }

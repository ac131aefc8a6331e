package locale_test

import (
	"testing"

	"github.com/stickpress/stickpress/api/unattend"
	"github.com/stickpress/stickpress/web/locale"
)

// Each language of an answer file has a name, in each language of the console.
func TestLanguageNames(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string][2]string{
		"de-DE": {"German (Germany)", "德语（德国）"}, "zh-TW": {"Chinese (Taiwan)", "中文（台湾）"}, "x": {"x", "x"}, "fr": {"French", "法语"},
	} {
		if en, zh := locale.English.LanguageName(tag), locale.Match("zh-CN").LanguageName(tag); en != want[0] || zh != want[1] {
			t.Errorf("%s is %q and %q, want %q", tag, en, zh, want)
		}
	}
	for _, l := range locale.All() {
		seen := map[string]string{}
		for _, tag := range unattend.Languages {
			name := l.LanguageName(tag)
			if name == tag || seen[name] != "" {
				t.Errorf("%s is called %q in %s, as %q is", tag, name, l, seen[name])
			}
			seen[name] = tag
		}
	}
	if l := locale.Match("zh-CN"); l.Compare("德语", "中文") >= 0 || l.Compare("法语", "德语") <= 0 {
		t.Error("names are not in the order of pinyin")
	}
}

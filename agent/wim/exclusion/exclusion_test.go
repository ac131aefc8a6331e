package exclusion

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := Parse("# comment\r\n; another\n\n  \\pagefile.sys \r\n/Windows/Temp/*\n*.mp3\n\\System Volume Information")
	want := []string{`\pagefile.sys`, `\Windows\Temp\*`, "*.mp3", `\System Volume Information`}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if config := Config(got); config != "[ExclusionList]\n"+strings.Join(want, "\n")+"\n" {
		t.Errorf("%q", config)
	}
	if globs, err := Parse(Default); err != nil || !slices.Contains(globs, `\hiberfil.sys`) || len(globs) != 10 {
		t.Errorf("default list: %q, %v", globs, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`C:\pagefile.sys`:              ReasonDrive,
		`[ExclusionException]`:         ReasonSection,
		`Windows\Temp`:                 ReasonRelative,
		`\`:                            ReasonAll,
		`*`:                            ReasonAll,
		`/*`:                           ReasonAll,
		`\a` + "\x01":                  ReasonCharacter,
		`\a"b"`:                        ReasonCharacter,
		`\a` + "\xff":                  ReasonCharacter,
		`\` + strings.Repeat("a", 512): ReasonLength,
	} {
		_, err := Parse("# first\n" + line)
		var e *Error
		if !errors.As(err, &e) || e.Reason != want || e.Line != 2 {
			t.Errorf("%.40q: %v, want %s", line, err, want)
		}
	}
	for _, text := range []string{strings.Repeat("\n", MaxText+1), strings.Repeat("\\a\n", MaxGlobs+1)} {
		var e *Error
		if _, err := Parse(text); !errors.As(err, &e) || e.Reason != ReasonLength {
			t.Errorf("too long: %v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Default)
	f.Add("\\a\n[b]\nc:\\d\n*")
	f.Fuzz(func(t *testing.T, text string) {
		globs, err := Parse(text)
		if err != nil {
			return
		}
		// What was read is the same when it is read again, whatever wrote it.
		again, err := Parse(strings.Join(globs, "\n"))
		if err != nil || !slices.Equal(globs, again) {
			t.Errorf("%q, %q: %v", globs, again, err)
		}
	})
}

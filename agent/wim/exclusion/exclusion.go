// Package exclusion reads and writes the list of what a capture leaves out of
// an image, in the syntax that Microsoft's DISM (WimScript.ini) and wimlib
// share (wimlib-imagex-capture(1), --config): one glob a line below
// [ExclusionList].
//
//   - \pagefile.sys: with a leading \ or / it is a path from the root of the
//     volume; a directory goes with all below it.
//   - *.mp3: without one it is a name in any directory, so that it holds no
//     \ or /.
//   - * stands for any characters, ? for one. Case does not matter.
//   - Blank lines and those that begin with # or ; are passed over.
//
// A drive letter is refused: wimlib would pass over it, and the list is of one
// volume only.
package exclusion

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a list.
const (
	MaxGlobs = 500
	MaxGlob  = 512 // bytes of one glob
	MaxText  = 64 << 10
)

// Default is what is left out unless somebody says otherwise: wimlib's own
// default list, which is Microsoft's and more; and what belongs to a single
// stick, its manifest and the answer file with its secrets.
const Default = `# what Windows makes again
\$ntfs.log
\hiberfil.sys
\pagefile.sys
\swapfile.sys
\System Volume Information
\RECYCLER
\$RECYCLE.BIN
\Windows\CSC
# what belongs to one stick
\stickpress.json
\Windows\Panther\unattend.xml
`

// Error says which line of a list is not understood, and why.
type Error struct {
	Line   int // from 1; 0 is the list as a whole
	Text   string
	Reason string // ReasonCharacter and so on
}

// The reasons of an Error; doors say them in words.
const (
	ReasonLength    = "length"    // a glob, the list or its text is too long
	ReasonCharacter = "character" // no name of Windows has this character
	ReasonSection   = "section"   // a list has no sections of its own
	ReasonDrive     = "drive"     // a drive letter
	ReasonRelative  = "relative"  // a path that does not begin at the root
	ReasonAll       = "all"       // it would leave out everything
)

// Error is for logs.
func (e *Error) Error() string {
	return fmt.Sprintf("exclusion list: line %d %q: %s", e.Line, e.Text, e.Reason)
}

// Parse returns the globs of a list, with \ between names. The only error is
// an *Error.
func Parse(text string) ([]string, error) {
	if len(text) > MaxText {
		return nil, &Error{Reason: ReasonLength}
	}
	var globs []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimFunc(line, unicode.IsSpace)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		glob := strings.ReplaceAll(line, "/", `\`)
		if reason := check(glob); reason != "" {
			return nil, &Error{number, shorten(line), reason}
		}
		globs = append(globs, glob)
		if len(globs) > MaxGlobs {
			return nil, &Error{number, shorten(line), ReasonLength}
		}
	}
	return globs, nil
}

func check(glob string) string {
	switch {
	case len(glob) > MaxGlob:
		return ReasonLength
	case glob[0] == '[':
		return ReasonSection
	case len(glob) > 1 && glob[1] == ':':
		return ReasonDrive
	case !utf8.ValidString(glob) || strings.ContainsFunc(glob, forbidden):
		return ReasonCharacter
	case strings.Trim(glob, `\*?`) == "":
		return ReasonAll
	case glob[0] != '\\' && strings.Contains(glob, `\`):
		return ReasonRelative
	}
	return ""
}

// forbidden are the characters that no name of Windows holds (Microsoft,
// "Naming Files, Paths, and Namespaces"), but for the wildcards; and a quote,
// which wimlib takes off at both ends.
func forbidden(r rune) bool { return r < ' ' || strings.ContainsRune(`<>:"|'`, r) }

func shorten(line string) string {
	line = strings.ToValidUTF8(line, "?")
	if len(line) > 80 {
		return strings.ToValidUTF8(line[:80], "") + "…"
	}
	return line
}

// Config is the configuration file that makes wimlib or DISM leave out globs,
// which Parse has returned.
func Config(globs []string) string {
	return "[ExclusionList]\n" + strings.Join(globs, "\n") + "\n"
}

package api

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// VariableComputerName is the variable of answer files that names the computer.
const VariableComputerName = "computer_name"

// MaxComputerName is how long a computer's name may be, in characters: NetBIOS
// has 16 bytes for it, the last of which says what kind of name it is
// (RFC 1001, section 14.1).
const MaxComputerName = 15

// anyComputerName makes Windows choose a name.
const anyComputerName = "*"

// computerPlaces are the placeholders of ComputerName, as people read them.
const computerPlaces = "{n}, {n:02}, {ticket}, {user}"

var (
	// computerForm is what Windows Setup takes (unattend, Microsoft-Windows-
	// Shell-Setup, ComputerName): it refuses other ASCII characters, and others
	// than ASCII make a name that no NetBIOS carries.
	computerForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$`)
	digitsOnly   = regexp.MustCompile(`^[0-9]+$`)
	// placeOf is a placeholder of a pattern, or a brace that belongs to none.
	placeOf = regexp.MustCompile(`\{[^{}]*\}|[{}]`)
	counter = regexp.MustCompile(`^\{n(?::0?([1-9]))?\}$`)
	notName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
)

// ComputerName makes the name of the n-th stick of a job (from 1) of a pattern:
// {n} is its number, {n:02} the same with at least two digits (1 to 9), {ticket}
// its reference and {user} its holder, each with plain letters instead of those
// with accents and without the characters that no computer name may have. A
// pattern without any of these is the name; an empty
// one, and "*", lets Windows choose and is returned as it is.
// Faults: computer_name_pattern{pattern, text, known}, computer_name_invalid{name, max}.
func ComputerName(pattern string, n int, reference, holder string) (string, error) {
	pattern = strings.TrimSpace(pattern)
	if pattern == "" || pattern == anyComputerName {
		return pattern, nil
	}
	bad := ""
	name := placeOf.ReplaceAllStringFunc(pattern, func(place string) string {
		switch place {
		case "{ticket}":
			return plainName(reference)
		case "{user}":
			return plainName(holder)
		}
		m := counter.FindStringSubmatch(place)
		if m == nil {
			bad = place
			return ""
		}
		width, _ := strconv.Atoi(m[1]) // none is 0
		return fmt.Sprintf("%0*d", width, n)
	})
	if bad != "" {
		return "", fault.New(fault.KindInvalid, CodeComputerPattern, "pattern", pattern, "text", bad, "known", computerPlaces).At(VariableComputerName)
	}
	if len(name) > MaxComputerName || !computerForm.MatchString(name) || digitsOnly.MatchString(name) {
		return "", fault.New(fault.KindInvalid, CodeComputerName, "name", name, "max", MaxComputerName).At(VariableComputerName)
	}
	return name, nil
}

// plainLetters stand for Latin letters that Unicode does not take apart.
var plainLetters = strings.NewReplacer("ß", "ss", "ẞ", "SS", "æ", "ae", "Æ", "AE", "œ", "oe", "Œ", "OE",
	"ø", "o", "Ø", "O", "ł", "l", "Ł", "L", "đ", "d", "Đ", "D", "ı", "i", "þ", "th", "Þ", "Th", "ð", "d", "Ð", "D")

// plainName is of a text what a computer's name may have: NFKD (Unicode, annex 15)
// takes accents off their letters, which stay.
func plainName(text string) string {
	return notName.ReplaceAllString(norm.NFKD.String(plainLetters.Replace(text)), "")
}

// ComputerNames makes the names of all sticks of a job, each of its own pattern,
// and refuses two that are the same: two such computers do not see each other on
// a network. The fault names the stick in its field, as "devices[1]".
func ComputerNames(sticks []QueueDevice) ([]string, error) {
	names, wrong := make([]string, len(sticks)), make([]error, len(sticks))
	for i, d := range sticks {
		name, err := ComputerName(d.Variables[VariableComputerName], i+1, d.ExternalRef.ID, d.Holder)
		names[i], wrong[i] = name, fault.RenamedTo(err, deviceField(i))
	}
	for _, p := range sameNames(names) {
		wrong = append(wrong, p.Err.At(deviceField(p.Row)))
	}
	return names, fault.All(wrong...)
}

// nameKey is by what networks tell computers apart; empty for one whose name
// Windows chooses.
func nameKey(name string) string {
	if name == anyComputerName {
		return ""
	}
	return strings.ToUpper(name)
}

// nameComputers puts each stick's own name in the place of the pattern.
func (p *plan) nameComputers() error {
	if p.job.Kind != protocol.JobPress {
		return nil
	}
	sticks := make([]QueueDevice, len(p.job.Builds))
	for i := range p.job.Builds {
		b := &p.job.Builds[i]
		pattern, own := b.Variables[VariableComputerName]
		if !own {
			pattern = p.job.Variables[VariableComputerName]
		}
		sticks[i] = QueueDevice{Variables: map[string]string{VariableComputerName: pattern}, ExternalRef: ExternalRef{ID: b.Reference}, Holder: b.Holder}
		if sticks[i].ExternalRef.ID == "" {
			sticks[i].ExternalRef.ID = p.job.Reference
		}
		if sticks[i].Holder == "" {
			sticks[i].Holder = p.job.Holder
		}
	}
	names, err := ComputerNames(sticks)
	if err != nil {
		return err
	}
	for i, name := range names {
		if name == "" {
			continue
		}
		vars := maps.Clone(p.job.Builds[i].Variables)
		if vars == nil {
			vars = map[string]string{}
		}
		vars[VariableComputerName] = name
		p.job.Builds[i].Variables = vars
	}
	return nil
}

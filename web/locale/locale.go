// Package locale is the catalogue of every sentence that people read.
//
// A message is looked up by its key and filled in by name: the message
// "{count} sticks" with the parameter count. The same catalogue serves pages,
// problem+json and the command line, so that one fault reads the same
// wherever it is met. Each language is one JSON file, flat, sorted by key;
// tests hold the files to the same keys and the same parameters.
package locale

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

//go:embed en.json zh-CN.json
var files embed.FS

// The languages, the default first.
var tags = []language.Tag{language.English, language.SimplifiedChinese}

var (
	names      = []string{"en", "zh-CN"}
	matcher    = language.NewMatcher(tags)
	catalogues = load()
)

// Locale renders messages in one language. The zero value is English.
type Locale struct{ index int }

// English is the default locale.
var English = Locale{}

// All returns every locale in the order in which they are offered.
func All() []Locale {
	all := make([]Locale, len(names))
	for i := range names {
		all[i] = Locale{i}
	}
	return all
}

// Match returns the best locale for the first preference that is understood:
// a tag ("zh-CN") or an Accept-Language header. It never fails.
func Match(preferences ...string) Locale {
	for _, p := range preferences {
		want, _, err := language.ParseAcceptLanguage(p)
		if err != nil || len(want) == 0 {
			continue
		}
		if _, i, confidence := matcher.Match(want...); confidence > language.No {
			return Locale{i}
		}
	}
	return English
}

// String is the BCP 47 tag, as for an HTML lang attribute.
func (l Locale) String() string { return names[l.index] }

// Name is what the language calls itself.
func (l Locale) Name() string { return l.T("locale.name") }

// T returns the message of a key, filled in with pairs of parameter name and
// value. A key without a message is returned as it is: that is seen at once
// and breaks nothing.
func (l Locale) T(key string, pairs ...any) string {
	message, ok := l.lookup(key)
	if !ok {
		return key
	}
	if len(pairs) == 0 {
		return message
	}
	args := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		name := fmt.Sprint(pairs[i])
		args = append(args, "{"+name+"}", l.value(name, pairs[i+1]))
	}
	return strings.NewReplacer(args...).Replace(message)
}

// N is T for a count: it takes key.one for 1 and key.other for all else, with
// the parameter "count".
func (l Locale) N(key string, count int, pairs ...any) string {
	return l.T(key+form(count == 1), append([]any{"count", count}, pairs...)...)
}

func form(one bool) string {
	if one {
		return ".one"
	}
	return ".other"
}

// Has reports whether the catalogue has a message for the key.
func (l Locale) Has(key string) bool {
	_, ok := l.lookup(key)
	return ok
}

// Fault returns the sentence of a fault's code. A code without a sentence is
// shown with its parameters, so that nothing is hidden.
func (l Locale) Fault(code string, params map[string]string) string {
	if params["by"] != "" && l.Has("fault."+code+"_by") { // the same sentence, which knows who it was
		code += "_by"
	}
	return l.coded("fault.", code, params)
}

// Log returns the sentence of a log line's code.
func (l Locale) Log(code string, params map[string]string) string {
	return l.coded("log.", code, params)
}

// Lint returns the sentence of a remark about an answer file.
func (l Locale) Lint(code string, params map[string]string) string {
	return l.coded("lint.", code, params)
}

func (l Locale) coded(prefix, code string, params map[string]string) string {
	key := prefix + code
	if l.Has(key + ".other") { // it has a form for one, as N's have
		key += form(params["count"] == "1")
	}
	if !l.Has(key) {
		if len(params) == 0 {
			return code
		}
		return fmt.Sprintf("%s %v", code, params)
	}
	pairs := make([]any, 0, 2*len(params))
	for name, value := range params {
		pairs = append(pairs, name, value)
	}
	return l.T(key, pairs...)
}

// words are the parameters whose values are words of ours, not data: the
// value "task_sequence" of kind has the message "kind.task_sequence".
var words = map[string]bool{"found": true, "kind": true, "role": true, "state": true, "step": true, "what": true, "why": true}

// value renders one parameter: names that end in _bytes are sizes, in _rate
// bytes per second.
func (l Locale) value(name string, v any) string {
	s := fmt.Sprint(v)
	if words[name] {
		if word, ok := l.lookup(name + "." + s); ok {
			return word
		}
	}
	if strings.HasSuffix(name, "_bytes") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Bytes(n)
		}
	}
	if strings.HasSuffix(name, "_rate") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Rate(n)
		}
	}
	return s
}

// Check returns the sentence of what was found out about a stick.
func (l Locale) Check(name string, params map[string]string) string {
	return l.coded("check.", name, params)
}

func (l Locale) lookup(key string) (string, bool) {
	message, ok := catalogues[l.index][key]
	return message, ok
}

// Bytes renders a size in binary units with at most one decimal: "57.2 GiB". Sizes
// of sticks, images and disks are in GiB therefore; only what is smaller than
// 1000 MiB, such as what a step has done so far, is in MiB, KiB or B, and what is
// larger than 1000 GiB in TiB.
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n > -1024 && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for (value >= 1000 || value <= -1000) && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	digits := 1
	if value >= 100 || value == float64(int64(value)) {
		digits = 0
	}
	return fmt.Sprintf("%.*f %ciB", digits, value, units[unit])
}

// Rate renders bytes per second in decimal megabytes, as drives are sold.
func Rate(bytesPerSecond int64) string {
	return fmt.Sprintf("%.1f MB/s", float64(bytesPerSecond)/1e6)
}

// Duration renders a span as a stopwatch would: "0:07", "12:34", "1:02:03".
func Duration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func load() []map[string]string {
	all := make([]map[string]string, len(names))
	for i, name := range names {
		raw, err := files.ReadFile(name + ".json")
		if err == nil {
			err = json.Unmarshal(raw, &all[i])
		}
		if err != nil {
			panic(fmt.Sprintf("locale: catalogue %s: %v", name, err))
		}
	}
	return all
}

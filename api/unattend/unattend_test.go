package unattend

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/fault"
)

var update = flag.Bool("update", false, "write the golden files")

// render parses a template and fills it in.
func render(template []byte, vars map[string]string) ([]byte, error) {
	t, err := Parse(template)
	if err != nil {
		return nil, err
	}
	return t.Render(vars)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it):\n%s", name, got)
	}
}

func wantFault(t *testing.T, err error, code fault.Code, params fault.Params) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code || f.Kind != fault.KindInvalid {
		t.Fatalf("error %v, want %s", err, code)
	}
	for k, want := range params {
		if f.Params[k] != want {
			t.Errorf("%s: %q, want %q", k, f.Params[k], want)
		}
	}
}

// root wraps settings in a root element on one line.
func root(inner string) []byte {
	return []byte(`<unattend xmlns="` + Namespace + `">` + inner + `</unattend>`)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/everything.xml")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := tmpl.Variables(); !slices.Equal(got, []string{"computer_name", "holder", "note"}) {
		t.Errorf("variables %v", got)
	}
	out, err := tmpl.Render(map[string]string{"holder": `<O'Neil> & "]]>" Söhne`, "note": `a "b" <c>`, "computer_name": "WTG-0001"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "everything.golden.xml", out)
	warnings, err := json.MarshalIndent(tmpl.Lint(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "everything.lint.json", append(warnings, '\n'))
}

func TestStarter(t *testing.T) {
	t.Parallel()
	tmpl, err := Parse(Starter())
	if err != nil {
		t.Fatal(err)
	}
	if w := tmpl.Lint(); len(w) != 0 {
		t.Errorf("warnings %v", w)
	}
	out, err := render(Starter(), nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "starter.golden.xml", out)
	if bytes.Contains(bytes.ToLower(out), []byte("password")) {
		t.Error("it speaks of a password")
	}
}

func TestValuesComeBack(t *testing.T) {
	t.Parallel()
	const value = " <a>&amp; \"'\t\r\n]]> 名前 😀 "
	out, err := render(root(`<a b="{{v}}">{{v}}</a><c><![CDATA[{{v}}]]></c>`), map[string]string{"v": value})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		A struct {
			B    string `xml:"b,attr"`
			Text string `xml:",chardata"`
		} `xml:"a"`
		C string `xml:"c"`
	}
	if err := xml.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	// A parser turns a line end that is not escaped into \n.
	inCDATA := strings.ReplaceAll(value, "\r\n", "\n")
	if got.A.B != value || got.A.Text != value || got.C != inCDATA {
		t.Errorf("%+q", got)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	ns := `xmlns="` + Namespace + `"`
	for name, tc := range map[string]struct {
		in     string
		code   fault.Code
		params fault.Params
	}{
		"empty":            {"", "template_malformed", fault.Params{"line": "1", "column": "1"}},
		"not XML":          {"hello", "template_malformed", fault.Params{"line": "1", "column": "1"}},
		"unclosed":         {"<unattend " + ns + ">\n  <a>\n", "template_malformed", fault.Params{"line": "3", "column": "1"}},
		"wrong end":        {"<unattend " + ns + ">\n  <a></b>\n", "template_malformed", fault.Params{"line": "2", "column": "10", "detail": "element <a> closed by </b>"}},
		"bare ampersand":   {"<unattend " + ns + ">\n&x </unattend>", "template_malformed", fault.Params{"line": "2"}},
		"unknown entity":   {"<unattend " + ns + ">&nbsp;</unattend>", "template_malformed", nil},
		"unquoted":         {"<unattend " + ns + "><a b=c/></unattend>", "template_malformed", nil},
		"second root":      {"<unattend " + ns + "/>\n<unattend " + ns + "/>", "template_malformed", fault.Params{"line": "2", "column": "1"}},
		"text after":       {"<unattend " + ns + "/>more", "template_malformed", nil},
		"doctype":          {"<!DOCTYPE unattend [<!ENTITY a 'b'>]>\n<unattend " + ns + "/>", "template_malformed", fault.Params{"line": "1", "column": "1"}},
		"late declaration": {"<!-- ours -->\n<?xml version=\"1.0\"?>\n<unattend " + ns + "/>", "template_malformed", fault.Params{"line": "2", "column": "1"}},
		"UTF-16":           {"\xff\xfe<\x00u\x00", "template_malformed", nil},
		"other encoding":   {`<?xml version="1.0" encoding="utf-16"?><unattend ` + ns + "/>", "template_malformed", nil},
		"NUL":              {"<unattend " + ns + ">\x00</unattend>", "template_malformed", nil},
		"too deep":         {string(root(strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100))), "template_malformed", nil},
		"wrong root":       {"\n<Unattend " + ns + "/>", "template_wrong_root", fault.Params{"line": "2", "column": "1", "got": "Unattend in " + Namespace}},
		"no namespace":     {"<unattend/>", "template_wrong_root", fault.Params{"got": "unattend"}},
		"too large":        {string(root(strings.Repeat(" ", MaxBytes))), "template_too_large", fault.Params{"limit_bytes": "65536"}},
		"bad placeholder":  {"<unattend " + ns + ">\n {{Computer Name}}</unattend>", "template_bad_placeholder", fault.Params{"line": "2", "column": "2", "text": "{{Computer Name}}"}},
		"half placeholder": {string(root("{{a<b/>}}")), "template_bad_placeholder", fault.Params{"text": "{{a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tc.in))
			wantFault(t, err, tc.code, tc.params)
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	_, err := render(root("\n<a>{{owner}}</a>"), map[string]string{"holder": "x"})
	wantFault(t, err, "template_unknown_variable", fault.Params{"name": "owner", "line": "2", "column": "4", "known": "computer_name, holder"})
	for _, bad := range []string{"\x00", "a\x1bb", "\xff", "\uffff"} {
		_, err = render(root("<a>{{v}}</a>"), map[string]string{"v": bad})
		wantFault(t, err, "template_value_invalid", fault.Params{"name": "v"})
	}
	_, err = render(root("<a>{{v}}</a>"), map[string]string{"v": strings.Repeat("x", MaxBytes)})
	wantFault(t, err, "template_too_large", nil)
}

func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	out, err := render(append([]byte("\xef\xbb\xbf"), root("")...), nil)
	if err != nil || !bytes.Equal(out, root("")) {
		t.Errorf("%q, %v", out, err)
	}
}

func FuzzParse(f *testing.F) {
	everything, err := os.ReadFile("testdata/everything.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(everything)
	f.Add(Starter())
	f.Add(root(`<a b="{{v}}"/>{{{{<![CDATA[{{ v }}]]]]><!-- {{ -->`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tmpl, err := Parse(raw)
		if err != nil {
			var fe *fault.Error
			if !errors.As(err, &fe) {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		tmpl.Lint()
		vars := map[string]string{}
		for _, name := range tmpl.Variables() {
			vars[name] = `]]> <&> "' -->`
		}
		out, err := tmpl.Render(vars)
		if err != nil {
			var fe *fault.Error
			if errors.As(err, &fe) && fe.Code == "template_too_large" {
				return
			}
			t.Fatalf("render: %v", err)
		}
		if err := xml.Unmarshal(out, new(struct{})); err != nil {
			t.Fatalf("the result is malformed: %v\n%s", err, out)
		}
	})
}

package batch_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/stickpress/stickpress/api/batch"
	"github.com/stickpress/stickpress/api/fault"
)

// utf16LE is what a spreadsheet saves as "Unicode text".
func utf16LE(text string) string {
	out := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return string(out)
}

func TestParse(t *testing.T) {
	t.Parallel()
	ada := batch.Row{Line: 1, Holder: "Ada Lovelace", Computer: "NB-1", Reference: "INC-1"}
	second := func(r batch.Row) batch.Row { r.Line = 2; return r }
	for name, c := range map[string]struct {
		raw  string
		want []batch.Row
	}{
		"tabs":                {"Ada Lovelace\tNB-1\tINC-1\n", []batch.Row{ada}},
		"no line end":         {"Ada Lovelace,NB-1,INC-1", []batch.Row{ada}},
		"semicolons, CRLF":    {"Ada Lovelace;NB-1;INC-1\r\n\r\n;;\r\n", []batch.Row{ada}},
		"bars, CR":            {"Ada Lovelace|NB-1|INC-1\r", []batch.Row{ada}},
		"quotes":              {`"Lovelace, ""Ada""",NB-1,"INC-1"`, []batch.Row{{Line: 1, Holder: `Lovelace, "Ada"`, Computer: "NB-1", Reference: "INC-1"}}},
		"quoted line end":     {"\"Ada\nLovelace\",NB-1,INC-1", []batch.Row{ada}},
		"byte order mark":     {"\uFEFFAda Lovelace,NB-1,INC-1", []batch.Row{ada}},
		"UTF-16":              {utf16LE("Ada Lovelace\tNB-1\tINC-1\r\n"), []batch.Row{ada}},
		"headings":            {"Ticket;Computer-Name;User\nINC-1;NB-1;Ada Lovelace", []batch.Row{second(ada)}},
		"headings in Chinese": {"工单号,姓名\nINC-7,王芳", []batch.Row{{Line: 2, Holder: "王芳", Reference: "INC-7"}}},
		"one column":          {"Ada\nGrace", []batch.Row{{Line: 1, Holder: "Ada"}, {Line: 2, Holder: "Grace"}}},
		"empty cells":         {",NB-1\nAda,,INC-1", []batch.Row{{Line: 1, Computer: "NB-1"}, {Line: 2, Holder: "Ada", Reference: "INC-1"}}},
		"spaces":              {"  Ada   Lovelace ,\u00a0NB-1 , INC-1 ,,", []batch.Row{ada}},
		"a comma in tabs":     {"Lovelace, Ada\tNB-1", []batch.Row{{Line: 1, Holder: "Lovelace, Ada", Computer: "NB-1"}}},
		"markup is text":      {"<b>x</b>,a&b,'\"'", nil},
	} {
		got, err := batch.Parse([]byte(c.raw))
		if name == "markup is text" {
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != batch.CodeQuote || f.Params["line"] != "1" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c.want, got.Rows); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	got, err := batch.Parse([]byte("Cost centre,User,Floor\n4711,Ada,3\n"))
	if err != nil || cmp.Diff([]string{"Cost centre", "Floor"}, got.Ignored) != "" || got.Rows[0].Holder != "Ada" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for code, raw := range map[fault.Code]string{
		batch.CodeEmpty:    " \n\t\t\n",
		batch.CodeTooLong:  strings.Repeat("a", batch.MaxBytes+1),
		batch.CodeTooMany:  strings.Repeat("Ada\n", batch.MaxRows+1),
		batch.CodeEncoding: "J\xFCrgen,NB-1", // Windows-1252
		batch.CodeQuote:    "Ada,NB-1\n\"Grace,NB-2",
		batch.CodeColumns:  "Ada,NB-1,INC-1,more",
		batch.CodeHeadings: "User,Employee\nAda,Grace",
	} {
		_, err := batch.Parse([]byte(raw))
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != code {
			t.Errorf("%.20q: %v, want %s", raw, err, code)
		}
	}
	if _, err := batch.Parse([]byte("User,Ticket\n")); !errors.Is(err, fault.New(fault.KindInvalid, batch.CodeEmpty)) {
		t.Errorf("headings alone: %v", err)
	}
	if _, err := batch.Parse([]byte(strings.Repeat("Ada\n", batch.MaxRows))); err != nil {
		t.Errorf("%d rows: %v", batch.MaxRows, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "Ada,NB-1,INC-1", "User\tTicket\nAda\tINC-1", "\"a\"\"b\";c\r\n", "\uFEFF姓名|工单", utf16LE("Ada;NB"), "\xFE\xFF\x00A", "\xFF\xFEA", "a\x00b", ",,,\n\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		table, err := batch.Parse(raw)
		if err != nil {
			var known *fault.Error
			if !errors.As(err, &known) {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if n := len(table.Rows); n < 1 || n > batch.MaxRows {
			t.Fatalf("%d rows", n)
		}
		for _, r := range table.Rows {
			for _, cell := range []string{r.Holder, r.Computer, r.Reference} {
				if strings.ContainsAny(cell, "\r\n\x00") || strings.TrimSpace(cell) != cell {
					t.Fatalf("cell %q", cell)
				}
			}
		}
	})
}

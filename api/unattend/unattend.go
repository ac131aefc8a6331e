// Package unattend reads, checks and renders Windows answer files.
//
// A template is an answer file with placeholders; it is itself well-formed
// XML, so that any editor can check it. A placeholder is {{name}}: a name of
// lower-case letters, digits and underscores that begins with a letter, with
// optional spaces around it. It may stand in text, in an attribute's value and
// in a CDATA section; the value is escaped for the place where it stands. In
// comments nothing is replaced. For two braces that are no placeholder write
// {{{{.
//
// A stick is made from an applied image, which takes only two of an answer
// file's passes, specialize and oobeSystem. Lint says what would not happen.
package unattend

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/stickpress/stickpress/api/fault"
)

// MaxBytes is the most that a rendered answer file may have, and a template
// too: the size of the extent that a master reserves for it on the stick.
const MaxBytes = 64 << 10

// Namespace is that of the root element and all settings.
const Namespace = "urn:schemas-microsoft-com:unattend"

// maxDepth bounds how deep elements nest; real answer files stay below 12.
const maxDepth = 64

// Template is a parsed answer file, with or without placeholders.
type Template struct {
	raw      []byte
	segments []segment
	root     *element
}

// segment is one token of the source: raw[start:end].
type segment struct {
	start, end int
	kind       kind
}

type kind int

const (
	verbatim kind = iota // comments, declarations
	text                 // text and tags: XML escapes
	cdata
)

// element is what Lint looks at.
type element struct {
	name     xml.Name
	attr     []xml.Attr
	text     string
	children []*element
	line     int
}

// Parse reads a template. Refusals, all of kind Invalid:
// template_too_large{limit_bytes, got_bytes};
// template_malformed{line, column, detail};
// template_wrong_root{line, column, want, got};
// template_bad_placeholder{line, column, text}.
// Lines and columns count from 1; columns count bytes.
func Parse(raw []byte) (*Template, error) {
	if len(raw) > MaxBytes {
		return nil, fault.New(fault.KindInvalid, "template_too_large", "limit_bytes", MaxBytes, "got_bytes", len(raw))
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	t := &Template{raw: raw}
	if err := t.read(); err != nil {
		return nil, err
	}
	for _, s := range t.segments {
		if s.kind == verbatim {
			continue
		}
		if _, err := t.expand(s, func(string) (string, bool) { return "", true }); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// read fills segments and root.
func (t *Template) read() error {
	d := xml.NewDecoder(bytes.NewReader(t.raw))
	var open []*element
	for {
		start := int(d.InputOffset())
		line, column := d.InputPos()
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line, column = d.InputPos()
			return malformed(line, column, detail(err))
		}
		// The end tag of <a/> has no bytes of its own: an empty segment.
		t.segments = append(t.segments, segment{start, int(d.InputOffset()), t.kindOf(tok, start)})
		switch tok := tok.(type) {
		case xml.StartElement:
			e := &element{name: tok.Name, attr: tok.Copy().Attr, line: line}
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			case t.root != nil:
				return malformed(line, column, "a second root element")
			case tok.Name.Local != "unattend" || tok.Name.Space != Namespace:
				return fault.New(fault.KindInvalid, "template_wrong_root", "line", line, "column", column,
					"want", "unattend in "+Namespace, "got", strings.TrimSuffix(tok.Name.Local+" in "+tok.Name.Space, " in "))
			default:
				t.root = e
			}
			if open = append(open, e); len(open) > maxDepth {
				return malformed(line, column, fmt.Sprintf("elements nest deeper than %d", maxDepth))
			}
		case xml.EndElement:
			open = open[:len(open)-1] // the decoder has matched it
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(tok)
			} else if len(bytes.TrimSpace(tok)) > 0 {
				return malformed(line, column, "text outside the root element")
			}
		case xml.ProcInst: // the decoder takes it anywhere, Windows does not
			if strings.EqualFold(tok.Target, "xml") && start > 0 {
				return malformed(line, column, "the XML declaration is not at the very beginning")
			}
		case xml.Directive:
			return malformed(line, column, "a document type or other declaration is not allowed")
		}
	}
	if t.root == nil {
		line, column := d.InputPos()
		return malformed(line, column, "no root element")
	}
	return nil
}

func (t *Template) kindOf(tok xml.Token, start int) kind {
	switch tok.(type) {
	case xml.StartElement, xml.EndElement:
		return text
	case xml.CharData:
		if bytes.HasPrefix(t.raw[start:], []byte("<![CDATA[")) {
			return cdata
		}
		return text
	default:
		return verbatim
	}
}

func malformed(line, column int, detail string) error {
	return fault.New(fault.KindInvalid, "template_malformed", "line", line, "column", column, "detail", detail)
}

// detail is the decoder's sentence without its own line number.
func detail(err error) string {
	var s *xml.SyntaxError
	if errors.As(err, &s) {
		return s.Msg
	}
	return strings.TrimPrefix(err.Error(), "xml: ")
}

// position is the line and column, from 1, of an offset in the source.
func (t *Template) position(offset int) (line, column int) {
	before := t.raw[:offset]
	return bytes.Count(before, []byte("\n")) + 1, offset - bytes.LastIndexByte(before, '\n')
}

// Package batch reads a table that somebody pasted or exported from a
// spreadsheet: one row for each stick, with who gets it, what its computer is
// called and the ticket.
//
// It takes what people have: tabs from a spreadsheet's clipboard, commas,
// semicolons or bars from an export, quoted or not, with or without a row of
// headings, with any line ends and a byte order mark. It checks nothing about
// the values: what a row means and whether it can be done is decided by package
// api. A table that cannot be read is refused as a whole, with its line.
package batch

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stickpress/stickpress/api/fault"
)

// Bounds of a table.
const (
	MaxRows  = 32      // as many as a job has sticks
	MaxBytes = 1 << 18 // as it arrives
)

// The codes of this package's faults.
const (
	CodeEmpty    fault.Code = "batch_empty"    //
	CodeTooLong  fault.Code = "batch_too_long" // limit_bytes
	CodeTooMany  fault.Code = "batch_too_many" // rows, max
	CodeEncoding fault.Code = "batch_encoding" //
	CodeQuote    fault.Code = "batch_quote"    // line
	CodeColumns  fault.Code = "batch_columns"  // line, columns, max
	CodeHeadings fault.Code = "batch_headings" // heading: that is there twice
)

// Row is one stick.
type Row struct {
	Line      int // in the table, from 1
	Holder    string
	Computer  string
	Reference string
}

// Table is what was read.
type Table struct {
	Rows []Row
	// Ignored are the headings of columns that mean nothing here.
	Ignored []string
}

// column is what a cell is.
type column int

const (
	ignored column = iota
	holder
	computer
	reference
)

// plain is the order of the columns of a table without headings.
var plain = []column{holder, computer, reference}

// headings are what people call the columns, in lower case without spaces,
// dots, dashes and underscores.
var headings = map[string]column{
	"user": holder, "username": holder, "holder": holder, "name": holder, "employee": holder, "person": holder, "owner": holder,
	"assignedto": holder, "benutzer": holder, "mitarbeiter": holder, "用户": holder, "使用人": holder, "姓名": holder, "领用人": holder, "员工": holder, "持有人": holder,
	"computer": computer, "computername": computer, "hostname": computer, "host": computer, "pc": computer, "pcname": computer,
	"device": computer, "devicename": computer, "rechner": computer, "rechnername": computer,
	"计算机": computer, "计算机名": computer, "计算机名称": computer, "电脑名": computer, "主机名": computer, "设备名": computer,
	"ticket": reference, "ticketid": reference, "ticketnumber": reference, "reference": reference, "ref": reference, "incident": reference,
	"request": reference, "order": reference, "auftrag": reference, "工单": reference, "工单号": reference, "编号": reference, "单号": reference,
}

// Parse reads a table. Faults: batch_empty, batch_too_long, batch_too_many,
// batch_encoding, batch_quote, batch_columns, batch_headings.
func Parse(raw []byte) (Table, error) {
	if len(raw) > MaxBytes {
		return Table{}, fault.New(fault.KindTooLarge, CodeTooLong, "limit_bytes", MaxBytes)
	}
	text, err := decode(raw)
	if err != nil {
		return Table{}, err
	}
	records, lines, err := split(text)
	if err != nil {
		return Table{}, err
	}
	if len(records) == 0 {
		return Table{}, fault.New(fault.KindInvalid, CodeEmpty)
	}
	columns, ignoredHeadings, err := heading(records[0])
	if err != nil {
		return Table{}, err
	}
	if columns != nil {
		records, lines = records[1:], lines[1:]
	}
	t := Table{Ignored: ignoredHeadings}
	for i, record := range records {
		at := columns
		if at == nil {
			at = plain
			if len(record) > len(plain) {
				return Table{}, fault.New(fault.KindInvalid, CodeColumns, "line", lines[i], "columns", len(record), "max", len(plain))
			}
		}
		t.Rows = append(t.Rows, rowOf(record, at, lines[i]))
	}
	switch n := len(t.Rows); {
	case n == 0:
		return Table{}, fault.New(fault.KindInvalid, CodeEmpty)
	case n > MaxRows:
		return Table{}, fault.New(fault.KindInvalid, CodeTooMany, "rows", n, "max", MaxRows)
	}
	return t, nil
}

func rowOf(record []string, columns []column, line int) Row {
	r := Row{Line: line}
	for i, cell := range record {
		if i >= len(columns) {
			break
		}
		switch columns[i] {
		case holder:
			r.Holder = cell
		case computer:
			r.Computer = cell
		case reference:
			r.Reference = cell
		case ignored:
		}
	}
	return r
}

// decode makes UTF-8 without a byte order mark of a table: spreadsheets write
// UTF-8 and UTF-16. Older encodings cannot be told apart, so that they are
// refused before a name comes out wrong.
func decode(raw []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}):
		order = binary.LittleEndian
	case bytes.HasPrefix(raw, []byte{0xFE, 0xFF}):
		order = binary.BigEndian
	default:
		raw = bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
		if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
			return "", fault.New(fault.KindInvalid, CodeEncoding)
		}
		return string(raw), nil
	}
	raw = raw[2:]
	if len(raw)%2 != 0 {
		return "", fault.New(fault.KindInvalid, CodeEncoding)
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = order.Uint16(raw[2*i:])
	}
	text := string(utf16.Decode(units))
	if strings.ContainsAny(text, "\x00\uFFFD") {
		return "", fault.New(fault.KindInvalid, CodeEncoding)
	}
	return text, nil
}

// separators are what may stand between cells, in the order in which they win:
// a tab is never part of a name, a comma may be.
var separators = []rune{'\t', ';', '|', ','}

// split cuts a table into rows and cells (RFC 4180) without the rows that have
// nothing in them, and says in which line each row begins.
func split(text string) (records [][]string, lines []int, err error) {
	// A lone carriage return ends a line where old programs write.
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = separator(text), -1, false
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return records, lines, nil
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			return nil, nil, fault.Wrap(err, fault.KindInvalid, CodeQuote, "line", broken.Line)
		}
		if err != nil {
			return nil, nil, err
		}
		for i := range record {
			record[i] = strings.Join(strings.Fields(record[i]), " ")
		}
		// A spreadsheet's empty columns on the right.
		for len(record) > 1 && record[len(record)-1] == "" {
			record = record[:len(record)-1]
		}
		if len(record) == 1 && record[0] == "" {
			continue
		}
		line, _ := r.FieldPos(0)
		records, lines = append(records, record), append(lines, line)
	}
}

// separator is the first of separators that stands outside of quotes in the
// first line with anything in it.
func separator(text string) rune {
	first := ""
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(line) != "" {
			first = line
			break
		}
	}
	quoted := false
	found := map[rune]bool{}
	for _, c := range first {
		if c == '"' {
			quoted = !quoted
		}
		if !quoted {
			found[c] = true
		}
	}
	for _, s := range separators {
		if found[s] {
			return s
		}
	}
	return ','
}

// heading reads a row as headings, if one of its cells is one: no person and no
// computer is called "ticket". Nil columns say that there are none.
func heading(record []string) (columns []column, unknown []string, err error) {
	clean := strings.NewReplacer(" ", "", ".", "", "-", "", "_", "", ":", "", "#", "")
	var known []column
	for _, cell := range record {
		c := headings[clean.Replace(strings.ToLower(cell))]
		if c == ignored && cell != "" {
			unknown = append(unknown, cell)
		}
		if c != ignored && slices.Contains(known, c) {
			return nil, nil, fault.New(fault.KindInvalid, CodeHeadings, "heading", cell)
		}
		columns, known = append(columns, c), append(known, c)
	}
	if !slices.ContainsFunc(columns, func(c column) bool { return c != ignored }) {
		return nil, nil, nil
	}
	return columns, unknown, nil
}

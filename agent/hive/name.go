package hive

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// A name is kept as UTF-16 units, as Windows compares it; in cells it is Latin-1 where that suffices.
type name []uint16

func newName(s string) name { return utf16.Encode([]rune(s)) }

func (n name) String() string { return string(utf16.Decode(n)) }

// decodeName reads a name from a cell.
func decodeName(raw []byte, latin1 bool) name {
	if latin1 {
		n := make(name, len(raw))
		for i, b := range raw {
			n[i] = uint16(b)
		}
		return n
	}
	n := make(name, len(raw)/2)
	for i := range n {
		n[i] = u16(raw, 2*i)
	}
	return n
}

// encode gives the bytes of a name in a cell, and whether they are Latin-1.
func (n name) encode() (raw []byte, latin1 bool) {
	if !slices.ContainsFunc(n, func(u uint16) bool { return u > 0xff }) {
		raw = make([]byte, len(n))
		for i, u := range n {
			raw[i] = byte(u)
		}
		return raw, len(n) > 0
	}
	raw = make([]byte, 2*len(n))
	for i, u := range n {
		put16(raw, 2*i, u)
	}
	return raw, false
}

// compare orders names as the subkey lists do: by upper-case units.
func (n name) compare(m name) int {
	return slices.CompareFunc(n, m, func(a, b uint16) int { return cmp.Compare(upper(a), upper(b)) })
}

// upper is the name as names are compared.
func (n name) upper() name {
	u := make(name, len(n))
	for i := range n {
		u[i] = upper(n[i])
	}
	return u
}

// hash is the hash of an lh list: H = 37·H + upper(c).
func (n name) hash() uint32 {
	var h uint32
	for _, u := range n {
		h = 37*h + uint32(upper(u))
	}
	return h
}

// hint is the hint of an lf list: the first four characters, or nothing if one of them is beyond Latin-1.
func (n name) hint() uint32 {
	var h uint32
	for i, u := range n[:min(len(n), 4)] {
		if u > 0xff {
			return 0
		}
		h |= uint32(u) << (8 * i)
	}
	return h
}

// upper is the upper case of one UTF-16 unit as the Windows kernel's table has it. That table is older than
// Unicode's: it leaves alone what would move to ASCII (dotless i, long s), and the micro sign.
func upper(u uint16) uint16 {
	switch {
	case u < 'a':
		return u
	case u <= 'z':
		return u - 'a' + 'A'
	case u < 0x80, u == 0xb5:
		return u
	}
	r := unicode.ToUpper(rune(u))
	if r < 0x80 || r > 0xffff {
		return u
	}
	return uint16(r)
}

// splitPath cuts a path into the names of its keys and refuses those that no key can have.
func splitPath(path string) ([]name, error) {
	if path == "" {
		return nil, nil
	}
	var names []name
	for part := range strings.SplitSeq(path, `\`) {
		n := newName(part)
		if err := checkKeyName(n); err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, nil
}

func checkKeyName(n name) error {
	if len(n) == 0 || len(n) > maxKeyName || slices.Contains(n, 0) || slices.Contains(n, '\\') {
		return fmt.Errorf("%w: key name %q must have 1 to %d characters, no NUL and no backslash", ErrLimit, n, maxKeyName)
	}
	return nil
}

package hive

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf16"
)

// Type is the type of a value's data, as in winnt.h.
type Type uint32

// The types of values. Hives may hold others, which are kept.
const (
	TypeNone     Type = 0
	TypeSZ       Type = 1
	TypeExpandSZ Type = 2
	TypeBinary   Type = 3
	TypeDWORD    Type = 4
	TypeMultiSZ  Type = 7
	TypeQWORD    Type = 11
)

// Value is a named value of a key. The empty name is the key's default value.
type Value struct {
	Name string
	Type Type
	Data []byte // as stored: little-endian numbers, NUL-terminated UTF-16LE texts
}

// DWORD makes a value that holds a 32-bit number.
func DWORD(name string, v uint32) Value {
	return Value{name, TypeDWORD, binary.LittleEndian.AppendUint32(nil, v)}
}

// SZ makes a value that holds a text.
func SZ(name, text string) Value { return Value{name, TypeSZ, encodeText(nil, text)} }

// ExpandSZ makes a value that holds a text with %variables%.
func ExpandSZ(name, text string) Value { return Value{name, TypeExpandSZ, encodeText(nil, text)} }

// MultiSZ makes a value that holds a list of texts. Empty texts cannot be told from the list's end.
func MultiSZ(name string, texts ...string) Value {
	var data []byte
	for _, t := range texts {
		data = encodeText(data, t)
	}
	return Value{name, TypeMultiSZ, append(data, 0, 0)}
}

// Binary makes a value that holds bytes.
func Binary(name string, data []byte) Value { return Value{name, TypeBinary, slices.Clone(data)} }

// Uint32 returns the number of a DWORD, or an error that wraps [ErrType].
func (v Value) Uint32() (uint32, error) {
	if v.Type != TypeDWORD || len(v.Data) != 4 {
		return 0, v.wrong("a DWORD")
	}
	return binary.LittleEndian.Uint32(v.Data), nil
}

// Text returns the text of an SZ or EXPAND_SZ up to its first NUL, which may be missing,
// or an error that wraps [ErrType].
func (v Value) Text() (string, error) {
	if v.Type != TypeSZ && v.Type != TypeExpandSZ || len(v.Data)%2 != 0 {
		return "", v.wrong("a text")
	}
	units := decodeName(v.Data, false)
	if end := slices.Index(units, 0); end >= 0 {
		units = units[:end]
	}
	return units.String(), nil
}

func (v Value) wrong(wanted string) error {
	return fmt.Errorf("%w: %q is not %s but of type %d with %d bytes", ErrType, v.Name, wanted, v.Type, len(v.Data))
}

// check refuses what cannot be written.
func (v Value) check() error {
	if n := len(newName(v.Name)); n > maxValueName {
		return fmt.Errorf("%w: value name of %d characters, at most %d", ErrLimit, n, maxValueName)
	}
	if len(v.Data) > MaxValue {
		return fmt.Errorf("%w: value %q has %d bytes, at most %d", ErrLimit, v.Name, len(v.Data), MaxValue)
	}
	return nil
}

func encodeText(to []byte, text string) []byte {
	for _, u := range utf16.Encode([]rune(text)) {
		to = binary.LittleEndian.AppendUint16(to, u)
	}
	return append(to, 0, 0)
}

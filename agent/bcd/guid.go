package bcd

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// GUID is a globally unique identifier in the byte order of GPT tables, boot stores and everything else that
// Windows writes: the first three groups are little-endian, the others are as printed ([MS-DTYP] 2.3.4.2).
type GUID [16]byte

// order maps the bytes of a GUID as printed to its bytes as stored, and back.
var order = [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

// NewGUID makes a random GUID (RFC 9562, version 4) from 16 bytes of random. crypto/rand.Reader is the one to use
// outside tests.
func NewGUID(random io.Reader) (GUID, error) {
	var g GUID
	if _, err := io.ReadFull(random, g[:]); err != nil {
		return GUID{}, fmt.Errorf("make GUID: %w", err)
	}
	g[7] = g[7]&0x0f | 0x40 // the version is in the first digit of the third group
	g[8] = g[8]&0x3f | 0x80
	return g, nil
}

// ParseGUID reads "9dea862c-5cdd-4e70-acc1-f32b344d4795", in any case and with or without braces.
func ParseGUID(s string) (GUID, error) {
	bare := s
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		bare = s[1 : len(s)-1]
	}
	if len(bare) != 36 || bare[8] != '-' || bare[13] != '-' || bare[18] != '-' || bare[23] != '-' {
		return GUID{}, fmt.Errorf("%w: %q is not a GUID", ErrInvalid, s)
	}
	printed, err := hex.DecodeString(bare[:8] + bare[9:13] + bare[14:18] + bare[19:23] + bare[24:])
	if err != nil {
		return GUID{}, fmt.Errorf("%w: %q is not a GUID: %w", ErrInvalid, s, err)
	}
	var g GUID
	for i, at := range order {
		g[at] = printed[i]
	}
	return g, nil
}

// mustGUID is for the well-known GUIDs below.
func mustGUID(s string) GUID {
	g, err := ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// String prints the GUID in lower case, without braces.
func (g GUID) String() string {
	var p [16]byte
	for i, at := range order {
		p[i] = g[at]
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", p[:4], p[4:6], p[6:8], p[8:10], p[10:])
}

// Braced prints the GUID as boot stores name objects: "{9dea862c-5cdd-4e70-acc1-f32b344d4795}".
func (g GUID) Braced() string { return "{" + g.String() + "}" }

// MarshalText gives the form of [GUID.String].
func (g GUID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

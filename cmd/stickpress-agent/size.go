package main

import (
	"fmt"
	"strconv"
	"strings"
)

// size is a flag in bytes with an optional binary suffix: 500M, 20G, 1T.
type size int64

const suffixes = "KMGT"

func (s *size) Set(text string) error {
	number := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(text), "B"), "I")
	shift := 0
	if n := len(number); n > 0 {
		if i := strings.IndexByte(suffixes, number[n-1]); i >= 0 {
			shift, number = 10*(i+1), number[:n-1]
		}
	}
	v, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || v < 0 || v<<shift>>shift != v {
		return fmt.Errorf("size %q: want a number of bytes such as 500M, 20G or 1T", text)
	}
	*s = size(v << shift)
	return nil
}

func (s *size) String() string { return formatBytes(int64(*s)) }
func (s *size) Type() string   { return "SIZE" }

// formatBytes writes whole binary units where they are exact, else one decimal.
func formatBytes(n int64) string {
	if n < 1<<10 {
		return strconv.FormatInt(n, 10)
	}
	unit, i := float64(n)/(1<<10), 0
	for unit >= 1<<10 && i < len(suffixes)-1 {
		unit /= 1 << 10
		i++
	}
	return strings.TrimSuffix(strconv.FormatFloat(unit, 'f', 1, 64), ".0") + suffixes[i:i+1]
}

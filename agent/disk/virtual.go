package disk

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var numbered = regexp.MustCompile(`^(?:stick-?)?0*(\d{1,4})$`)

// virtualSerial derives a serial from the file's name, so that it stays: the
// number of "stick-1.img" gives VIRTUAL-0001, other names stand for themselves.
func virtualSerial(name string) string {
	name = strings.TrimSuffix(name, virtualSuffix)
	if m := numbered.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1])
		return fmt.Sprintf("VIRTUAL-%04d", n)
	}
	return "VIRTUAL-" + strings.ToUpper(name)
}

// mix is FNV-1a, for telling apart, not for security.
func mix(s string) int64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return int64(h >> 1)
}

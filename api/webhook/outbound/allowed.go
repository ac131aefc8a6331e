package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// maxAllowed is the most entries of a list.
const maxAllowed = 200

// Allowed is a list of what may be reached though it is not public, and
// without TLS: host names and address ranges. The zero value is the empty list.
type Allowed struct {
	hosts []string
	nets  []netip.Prefix
}

// ParseAllowed reads a list whose entries are separated by commas or spaces:
// "gitea.lan, 10.20.0.0/16, fd00:1::5". A host stands for whatever address it
// has, but for those of a cloud's metadata service: such an address must be
// listed itself, alone.
func ParseAllowed(text string) (Allowed, error) {
	var a Allowed
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if len(words) > maxAllowed {
		return a, fmt.Errorf("%d entries, want at most %d", len(words), maxAllowed)
	}
	for _, word := range words {
		if ip, err := netip.ParseAddr(word); err == nil {
			if ip.Zone() != "" {
				return Allowed{}, fmt.Errorf("%q: want an address without a zone", word)
			}
			ip = ip.Unmap()
			a.nets = append(a.nets, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		if strings.Contains(word, "/") {
			p, err := netip.ParsePrefix(word)
			if err != nil || p.Addr().Is4In6() {
				return Allowed{}, fmt.Errorf("%q: want a range such as 10.20.0.0/16", word)
			}
			a.nets = append(a.nets, p.Masked())
			continue
		}
		if err := hostName(word); err != nil {
			return Allowed{}, fmt.Errorf("%q: %w", word, err)
		}
		a.hosts = append(a.hosts, plainHost(word))
	}
	return a, nil
}

// hostName refuses what is no name of a host (RFC 1123; "_" besides, which
// exists).
func hostName(word string) error {
	if len(word) > 253 {
		return errors.New("a host name has at most 253 characters")
	}
	digits := true
	for label := range strings.SplitSeq(strings.TrimSuffix(word, "."), ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return errors.New("want a host name, an address or a range")
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return errors.New("want a host name, an address or a range")
			}
		}
		digits = digits && strings.Trim(label, "0123456789") == ""
	}
	if digits {
		return errors.New("want a whole address") // 10.1: some resolvers make one of it
	}
	return nil
}

func plainHost(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

func (a Allowed) any() bool { return len(a.hosts)+len(a.nets) > 0 }

// host reports whether a URL's host is listed by its name.
func (a Allowed) host(name string) bool { return slices.Contains(a.hosts, plainHost(name)) }

// address reports whether an address is in a listed range.
func (a Allowed) address(ip netip.Addr) bool {
	return slices.ContainsFunc(a.nets, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// exactly reports whether an address is listed itself.
func (a Allowed) exactly(ip netip.Addr) bool {
	return slices.ContainsFunc(a.nets, func(p netip.Prefix) bool { return p.IsSingleIP() && p.Addr() == ip })
}

package outbound

import (
	"net/netip"
	"slices"
)

// special are the ranges that are not the public network: what the IANA lists
// of special-purpose addresses do not call globally reachable
// (iana-ipv4-special-registry, iana-ipv6-special-registry), multicast, and the
// forms of IPv6 that carry an IPv4 address, which a gateway would unpack behind
// our back. 198.18.0.0/15 is where some resolvers put names that they invented.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared by carriers (RFC 6598)
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarking
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
	"2001::/23",       // protocol assignments: Teredo, ORCHID
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4
	"3fff::/20",       // documentation
)

// unicast6 is all that is public in IPv6 (RFC 4291, the IANA's allocation);
// outside are loopback, IPv4-mapped and NAT64 forms, ULA, link-local, multicast.
var unicast6 = netip.MustParsePrefix("2000::/3")

// services are addresses at which clouds tell a machine its credentials. That
// of Azure is in a public range.
var services = addresses(
	"169.254.169.254", // most
	"169.254.170.2",   // Amazon's containers
	"169.254.170.23",  // Amazon's pods
	"100.100.100.200", // Alibaba
	"168.63.129.16",   // Azure
	"192.0.0.192",     // Oracle
	"fd00:ec2::254",   // Amazon
	"fd00:ec2::23",    // Amazon's pods
	"fd20:ce::254",    // Google
)

// public reports whether an address, unmapped, belongs to the public network.
func public(ip netip.Addr) bool {
	return ip.IsValid() && ip.Zone() == "" && (ip.Is4() || unicast6.Contains(ip)) &&
		!slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// metadata reports whether an address is that of a cloud's metadata service.
func metadata(ip netip.Addr) bool { return slices.Contains(services, ip.WithZone("")) }

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

func addresses(texts ...string) []netip.Addr {
	out := make([]netip.Addr, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParseAddr(t)
	}
	return out
}

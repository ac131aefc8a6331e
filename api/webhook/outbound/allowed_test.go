package outbound_test

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/outbound"
)

// What a form is told at once.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		list, url string
		want      fault.Code
	}{
		{"", "https://hooks.example.org/in?x=1", ""},
		{"", "https://hooks.example.org:8443", ""},
		{"", "https://1.1.1.1/", ""},
		{"", "https://[2606:4700::1111]/", ""},
		{"", "", outbound.CodeURLInvalid},
		{"", "hooks.example.org", outbound.CodeURLInvalid},
		{"", "ftp://hooks.example.org/", outbound.CodeURLInvalid},
		{"", "https:hooks.example.org", outbound.CodeURLInvalid},
		{"", "https://", outbound.CodeURLInvalid},
		{"", "https://u:p@hooks.example.org/", outbound.CodeURLInvalid},
		{"", "https://hooks.example.org/#x", outbound.CodeURLInvalid},
		{"", "https://hooks.example.org:0/", outbound.CodeURLInvalid},
		{"", "https://hooks.example.org:/", outbound.CodeURLInvalid},
		{"", "https://hooks.example.org:99999/", outbound.CodeURLInvalid},
		{"", "https://[fe80::1%25eth0]/", outbound.CodeURLInvalid},
		{"", "https://a b/", outbound.CodeURLInvalid},
		{"", "https://x/\x00", outbound.CodeURLInvalid},
		{"", "https://hooks.example.org/" + strings.Repeat("x", outbound.MaxURL), outbound.CodeURLInvalid},
		{"", "http://hooks.example.org/", outbound.CodeNotHTTPS},
		{"10.0.0.0/8", "http://1.1.1.1/", outbound.CodeNotHTTPS},
		{"10.0.0.0/8", "http://10.1.2.3/", ""},
		{"10.0.0.0/8", "http://unknown.example.org/", ""}, // its address decides
		{"gitea.lan", "http://gitea.lan/", ""},
		{"", "https://localhost/", outbound.CodeNotAllowed},
		{"", "https://x.localhost./", outbound.CodeNotAllowed},
		{"127.0.0.1", "http://localhost:8080/", ""},
		{"", "https://0.0.0.0/", outbound.CodeNotAllowed},
		{"", "https://10.1.2.3/", outbound.CodeNotAllowed},
		{"", "https://100.64.0.1/", outbound.CodeNotAllowed},
		{"", "https://100.127.255.255/", outbound.CodeNotAllowed},
		{"", "https://100.128.0.1/", ""},
		{"", "https://127.8.8.8/", outbound.CodeNotAllowed},
		{"", "https://169.254.169.254/", outbound.CodeNotAllowed},
		{"", "https://172.16.0.1/", outbound.CodeNotAllowed},
		{"", "https://172.32.0.1/", ""},
		{"", "https://192.168.0.1/", outbound.CodeNotAllowed},
		{"", "https://198.18.0.1/", outbound.CodeNotAllowed},
		{"", "https://224.0.0.1/", outbound.CodeNotAllowed},
		{"", "https://255.255.255.255/", outbound.CodeNotAllowed},
		{"", "https://168.63.129.16/", outbound.CodeNotAllowed},
		{"", "https://[::]/", outbound.CodeNotAllowed},
		{"", "https://[::1]/", outbound.CodeNotAllowed},
		{"", "https://[::ffff:10.0.0.1]/", outbound.CodeNotAllowed},
		{"", "https://[::10.0.0.1]/", outbound.CodeNotAllowed},
		{"", "https://[64:ff9b::a00:1]/", outbound.CodeNotAllowed},
		{"", "https://[64:ff9b:1::a00:1]/", outbound.CodeNotAllowed},
		{"", "https://[2002:a00:1::1]/", outbound.CodeNotAllowed},
		{"", "https://[2001:0:1::1]/", outbound.CodeNotAllowed},
		{"", "https://[2001:db8::1]/", outbound.CodeNotAllowed},
		{"", "https://[fc00::1]/", outbound.CodeNotAllowed},
		{"", "https://[fd00:ec2::254]/", outbound.CodeNotAllowed},
		{"", "https://[fe80::1]/", outbound.CodeNotAllowed},
		{"", "https://[ff02::1]/", outbound.CodeNotAllowed},
		{"fc00::/7", "https://[fc00::1]/", ""},
		{"fc00::/7", "https://[fd00:ec2::254]/", outbound.CodeNotAllowed},
		{"fd00:ec2::254", "http://[fd00:ec2::254]/", ""},
		{"::ffff:10.0.0.1", "https://10.0.0.1/", ""},
	} {
		err := client(t, x.list).Check(t.Context(), x.url)
		switch {
		case x.want == "" && err != nil:
			t.Errorf("%q allows %q: %v", x.list, x.url, err)
		case x.want != "":
			if f := fault.From(err); f == nil || f.Code != x.want {
				t.Errorf("%q allows %q: %v, want %s", x.list, x.url, err, x.want)
			}
		}
	}
}

func TestParseAllowed(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"10.0.0.0/33", "10.1", "1", "a..b", "-a", "a-", "http://x", "x:80", "*.lan", "fe80::1%eth0", "::ffff:10.0.0.0/104", "a/b",
		strings.Repeat("x", 64), strings.Repeat("x.", 130), strings.Repeat("x,", 201),
	} {
		if _, err := outbound.ParseAllowed(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := outbound.ParseAllowed(" gitea.lan,10.0.0.0/8\n_x.y fd00::/8, 1.2.3.4 "); err != nil {
		t.Error(err)
	}
}

// Nothing that the standard library calls inside gets through an empty list,
// however it is spelled.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"https://10.0.0.1/", "https://[::ffff:7f00:1]", "http://x", "https://0x7f.1/", "https://a@b", "https://[fe80::1]"} {
		f.Add(seed)
	}
	c := outbound.New(outbound.Options{})
	f.Fuzz(func(t *testing.T, raw string) {
		if err := c.Check(t.Context(), raw); err != nil {
			if fault.From(err).Kind != fault.KindInvalid {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" {
			t.Fatalf("%q is let through: %v", raw, err)
		}
		if ip := net.ParseIP(u.Hostname()); ip != nil && (!ip.IsGlobalUnicast() || ip.IsPrivate()) {
			t.Errorf("%q is let through", raw)
		}
	})
}

func FuzzParseAllowed(f *testing.F) {
	f.Add(" gitea.lan,10.0.0.0/8\n_x.y fd00::/8, 1.2.3.4 ")
	f.Fuzz(func(t *testing.T, list string) {
		allowed, err := outbound.ParseAllowed(list)
		if err != nil {
			return
		}
		c := outbound.New(outbound.Options{Allowed: func(context.Context) (outbound.Allowed, error) { return allowed, nil }})
		for word := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
			host := word
			if p, err := netip.ParsePrefix(word); err == nil {
				host = p.Addr().String()
			}
			if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
				host = "[" + ip.Unmap().String() + "]"
				if ip.Is4In6() {
					host = ip.Unmap().String()
				}
			}
			if err := c.Check(t.Context(), "http://"+host+"/"); err != nil && !strings.Contains(word, "/") {
				t.Errorf("%q is listed and %q refused: %v", word, host, err)
			}
		}
	})
}

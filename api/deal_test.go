package api

import (
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Rows take the sticks as they stand in the ports; one that is somebody's, or
// holds foreign data, only when there are too few others.
func TestDeal(t *testing.T) {
	t.Parallel()
	stick := func(port string) Device {
		d := Device{}
		d.Port = port
		switch port[0] {
		case 'h':
			d.Holder = "Grace Hopper"
		case 'f':
			d.Foreign = true
		}
		return d
	}
	for _, x := range []struct{ free, held, want string }{
		{"a b c", "- -", "a b"},
		{"a b c", "- a -", "b a c"},
		{"a b", "- b -", "a b -"},
		{"a b", "gone -", "a b"},
		{"h1 a f1 b", "- -", "a b"},
		{"h1 a f1 b", "- - -", "a f1 b"},
		{"h1 a f1 b", "- - - - -", "h1 a f1 b -"},
		{"h1 a b", "h1 -", "h1 a"},
		{"", "- gone", "- -"},
	} {
		var free []Device
		for port := range strings.FieldsSeq(x.free) {
			free = append(free, stick(port))
		}
		var held []protocol.Identity
		for port := range strings.FieldsSeq(x.held) {
			var id protocol.Identity
			if port != "-" {
				id.Port = port
			}
			held = append(held, id)
		}
		var got []string
		for _, id := range Deal(free, held) {
			if id.Port == "" {
				id.Port = "-"
			}
			got = append(got, id.Port)
		}
		if strings.Join(got, " ") != x.want {
			t.Errorf("of %q rows with %q get %q, want %q", x.free, x.held, got, x.want)
		}
	}
}

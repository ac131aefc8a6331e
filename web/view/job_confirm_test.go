package view

import (
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// What a stick holds is said by the confirmation as by the page before it: one
// that was pressed does not seem empty where it is about to be erased.
func TestConfirmHolds(t *testing.T) {
	t.Parallel()
	pressed, blank := protocol.Device{FoundID: "stick_1"}, protocol.Device{}
	for _, k := range []protocol.JobKind{protocol.JobPress, protocol.JobRaw, protocol.JobWipe, protocol.JobVerify} {
		for _, x := range []struct {
			d     protocol.Device
			words string
		}{{pressed, "a stick that was pressed before"}, {blank, "nothing found on it"}} {
			f := Frame{L: locale.English}
			var page strings.Builder
			if err := confirmHolds(f, k, api.Device{Device: x.d}).Render(t.Context(), &page); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(page.String(), x.words) {
				t.Errorf("%s: %q is missing in %s", k, x.words, page.String())
			}
		}
	}
}

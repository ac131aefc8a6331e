package api

import (
	"strings"

	"github.com/stickpress/stickpress/store"
)

// shortID is how much of a stick's ID its volume labels carry, see
// agent/stick ShortName.
const shortID = 7

// foreign reports whether a device holds a volume that was not pressed for the
// stick that it is taken for: its labels end in the stick's own ID. Erasing such
// a device may lose what nobody else has.
func foreign(volumes []string, stick store.StickID) bool {
	if len(volumes) == 0 {
		return false
	}
	if stick.IsZero() {
		return true
	}
	mark := ShortName(stick.String())
	for _, v := range volumes {
		if !strings.Contains(v, "UFD-") || !strings.Contains(v, mark) {
			return true
		}
	}
	return false
}

// NeedsCare reports whether whoever erases the device should be made to stop and
// look: it holds foreign data, or belongs to somebody.
func (d *Device) NeedsCare() bool {
	return d.Foreign || d.Holder != "" || d.Life == string(store.StickIssued) || d.Life == string(store.StickReturned)
}

// ShortName is the part of a stick's ID that its volume labels carry, and what
// people call it by.
func ShortName(stickID string) string {
	return strings.ToUpper(stickID[max(0, len(stickID)-shortID):])
}

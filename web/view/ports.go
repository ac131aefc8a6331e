package view

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/api"
)

// blinkValues are what blinkInForm sends, in place of its form's fields.
func blinkValues(d api.Device) string {
	raw, err := json.Marshal(map[string]string{"device": identityValue(d.Identity)})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(raw)
}

// anchor names a device in an address within the page.
func anchor(d api.Device) string {
	return idOf(d.Port) + "-" + strconv.Itoa(d.LUN)
}

// idOf makes the name of a place fit for an ID that selectors can spell.
func idOf(place string) string {
	return strings.NewReplacer(".", "_", ":", "_", " ", "_").Replace(place)
}

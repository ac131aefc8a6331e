package web

import "slices"

// KeptField says whether a form that comes too late gets a field back, and
// whether anybody has decided that.
func KeptField(name string) (kept, decided bool) {
	kept = isKept(name)
	return kept, kept || slices.Contains(lostFields, name)
}

package protocol

// WipeMethod says how a stick is erased.
type WipeMethod string

// The methods.
const (
	// WipeAuto is a discard where the stick proves that it forgets, and an
	// overwrite of all that it holds where it does not.
	WipeAuto WipeMethod = "auto"
	// WipeDiscard tells the stick that nothing on it is needed any more.
	WipeDiscard WipeMethod = "discard"
	// WipeOverwrite writes to every address of the stick.
	WipeOverwrite WipeMethod = "overwrite"
)

// WipeMethods lists the methods that may be asked for.
var WipeMethods = []WipeMethod{WipeAuto, WipeOverwrite, WipeDiscard}

// MaxWipePasses is the most that WipeOptions.Passes may be: a pattern and its
// complement, which is what NIST SP 800-88 Rev. 1 (2014), table A-8, asked of
// flash on USB before it spoke of Clear. Rev. 2 (2025) has no such tables.
const MaxWipePasses = 2

// WipeOptions is what a JobWipe asks for.
type WipeOptions struct {
	Method WipeMethod `json:"method"`
	// Passes is how often an overwrite goes over the stick: 1, or 2 with the
	// complement of the first.
	Passes int `json:"passes"`
}

// WipeResult is what was done to a stick that was wiped, and was found to be
// so when all of it was read back.
type WipeResult struct {
	Asked  WipeMethod `json:"asked"`
	Method WipeMethod `json:"method"` // WipeDiscard or WipeOverwrite
	// Secure says that the stick took the discard as a secure erase.
	Secure bool `json:"secure,omitempty"`
	Passes int  `json:"passes"` // of the overwrite, 0 for a discard
	// Fallback is why a discard was not enough, one of the Discard reasons,
	// or empty.
	Fallback       string `json:"fallback,omitempty"`
	Bytes          int64  `json:"bytes"`           // the whole stick
	BytesDiscarded int64  `json:"bytes_discarded"` // acknowledged
}

// How names what was done, for the catalogue: "overwrite_1", "overwrite_2",
// "discard" or "secure".
func (r *WipeResult) How() string {
	switch {
	case r.Method == WipeOverwrite && r.Passes == 1:
		return "overwrite_1"
	case r.Method == WipeOverwrite:
		return "overwrite_2"
	case r.Secure:
		return "secure"
	}
	return "discard"
}

// Why a discard is not enough.
const (
	DiscardUnsupported = "unsupported" // the stick, its reader or the kernel cannot
	DiscardFailed      = "failed"      // begun, and refused on the way
	DiscardIgnored     = "ignored"     // acknowledged, and what was there is still there
	DiscardNotZero     = "not_zero"    // afterwards not every address reads as zeros
)

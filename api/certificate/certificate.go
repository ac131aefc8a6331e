// Package certificate is the form of what the console certifies: that a stick
// was erased, how, and what that is worth.
//
// A certificate is a statement and a signature over exactly its bytes, by the
// ed25519 identity of the console. It is written as a JSON Web Signature
// (RFC 7515, 7.2.2, flattened) with the algorithm EdDSA (RFC 8037) and the key
// in its header, so that anybody can check it without this program and without
// the console: what has to be known from elsewhere is only the fingerprint of
// the console's key.
//
// A statement has codes, never sentences: web/locale says them in the reader's
// language, under "certificate.<kind>.<code>".
package certificate

import (
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Form is what Statement.Form says of a wiped stick's certificate.
const Form = "stickpress.wipe.v1"

// Standard is whose words Class is. Rev. 2 of September 2025, which took its
// place, defines Clear, Purge and Destroy alike; what it asks of each kind of
// medium it leaves to other standards. So the number of passes is still Rev. 1's,
// and a certificate says by which revision it speaks.
const Standard = "NIST SP 800-88 Rev. 1"

// Class is what Standard calls a way to sanitise.
type Class string

// The classes that a certificate can have. There is none for Purge: it needs a
// command of the stick's own that removes what cannot be addressed, or its
// destruction, and nothing here can prove either.
const (
	// ClassClear is what table A-8 asks for under USB removable media: all
	// addresses overwritten at least twice, with a pattern and its complement.
	ClassClear Class = "clear"
	// ClassNone is less: one pass, or trust in the stick's own forgetting.
	ClassNone Class = "none"
)

// Limit names something that a certificate does not say.
type Limit string

// The limits.
const (
	LimitFlash   Limit = "flash"    // spare area and wear levelling are out of reach
	LimitPurge   Limit = "purge"    // so it is not Purge
	LimitOnePass Limit = "one_pass" // Clear asks for two
	LimitDiscard Limit = "discard"  // the old content may wait in the chips to be erased
	LimitSecure  Limit = "secure"   // what a secure erase does inside cannot be seen
	LimitVirtual Limit = "virtual"  // a file: its filesystem may have copies
)

// Statement is what is certified. It is complete in itself: names stand beside
// IDs, as they were when it was issued.
type Statement struct {
	Form     string    `json:"form"` // Form
	ID       string    `json:"id"`   // cert_…
	IssuedAt time.Time `json:"issued_at"`
	Stick    Medium    `json:"stick"`
	Wipe     Erasure   `json:"wipe"`
	Standard string    `json:"standard"` // Standard
	Class    Class     `json:"class"`
	Limits   []Limit   `json:"limits"`
	Result   string    `json:"result"` // "erased": there is no certificate for anything else
	Job      Order     `json:"job"`
	Host     Party     `json:"host"`
	AskedBy  Party     `json:"asked_by"`
}

// Medium is the stick as it was seen when it was erased.
type Medium struct {
	ID     string `json:"id"` // stick_…
	Kind   string `json:"kind"`
	Vendor string `json:"vendor"`
	Model  string `json:"model"`
	VIDPID string `json:"vid_pid"`
	Serial string `json:"serial"` // may be empty, or shared by a batch
	Bytes  int64  `json:"bytes"`
	// Holder is for whom its content was pressed, if that is known.
	Holder string `json:"holder,omitempty"`
}

// Erasure is what was done. Bytes are such as the stick acknowledged.
type Erasure struct {
	protocol.WipeResult
	BytesWritten int64     `json:"bytes_written"` // over all passes
	BytesRead    int64     `json:"bytes_read"`    // read back and compared, after the last
	BegunAt      time.Time `json:"begun_at"`      // the console's clock
	EndedAt      time.Time `json:"ended_at"`
}

// Order is the job behind it.
type Order struct {
	ID        string    `json:"id"`    // job_…
	Build     string    `json:"build"` // build_…
	Attempt   int       `json:"attempt"`
	Reference string    `json:"reference,omitempty"` // a ticket
	AskedAt   time.Time `json:"asked_at"`
}

// Party is a person, a program or a host.
type Party struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name"`
}

// Result is the only result that is certified.
const Result = "erased"

// Judge fills in what follows from what was done: class, limits, result.
func (s *Statement) Judge() {
	s.Form, s.Standard, s.Result = Form, Standard, Result
	s.Class = ClassNone
	s.Limits = []Limit{LimitFlash, LimitPurge}
	w := &s.Wipe
	switch {
	case w.Method == protocol.WipeOverwrite && w.Passes >= 2:
		s.Class = ClassClear
	case w.Method == protocol.WipeOverwrite:
		s.Limits = append(s.Limits, LimitOnePass)
	case w.Secure:
		s.Limits = append(s.Limits, LimitSecure)
	default:
		s.Limits = append(s.Limits, LimitDiscard)
	}
	if s.Stick.Kind == protocol.KindVirtual {
		s.Limits = append(s.Limits, LimitVirtual)
	}
}

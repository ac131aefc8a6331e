package api

import (
	"context"
	"regexp"
	"strings"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// What a scan does with the stick.
const (
	ScanIssue  = "issue"  // hands it out
	ScanReturn = "return" // takes it back
)

// ScanStickInput is what a scanner typed, and what is to be done with that
// stick.
type ScanStickInput struct {
	Code      string // as typed: the address of the stick's page, its ID, or the short name on its label
	Act       string // ScanIssue or ScanReturn
	Holder    string // of ScanIssue
	Reference string // of ScanIssue, may be empty
}

// Scanned is what came of a scan.
type Scanned struct {
	Stick Stick
	// Seq names what was done, for UndoStickMove; 0 where it was so already.
	Seq int64
}

// ScanStick hands out or takes back the stick whose label was scanned
// (helpdesk). A stick that is lost is not taken back by the way, nor one that is
// out of use: that is decided on its page. Faults: those of FindScanned,
// IssueStick and ReturnStick, stick_retired, scan_act_unknown.
func (c *Console) ScanStick(ctx context.Context, a Actor, in ScanStickInput) (Scanned, error) {
	s, err := c.FindScanned(ctx, a, in.Code)
	if err != nil {
		return Scanned{}, err
	}
	was, id := s.Revision, s.ID
	switch in.Act {
	case ScanIssue:
		s, err = c.IssueStick(ctx, a, IssueStickInput{ID: id, Holder: in.Holder, Reference: in.Reference})
	case ScanReturn:
		if s.Life == string(store.StickRetired) {
			return Scanned{Stick: s}, fault.New(fault.KindConflict, store.CodeStickRetired, "port", s.Port)
		}
		s, err = c.ReturnStick(ctx, a, MoveStickInput{ID: id})
	default:
		err = fault.New(fault.KindInvalid, CodeScanAct, "act", in.Act).At("act")
	}
	if err != nil {
		known, unknown := c.GetStick(ctx, a, id)
		if unknown != nil {
			return Scanned{}, unknown
		}
		return Scanned{Stick: known}, err
	}
	out := Scanned{Stick: s}
	if s.Revision != was {
		out.Seq = s.Revision
	}
	return out, nil
}

// fullCode is the ID of a stick within an address, as scanners type it: some in
// capitals, some with another sign for one that their keyboard has elsewhere.
var (
	fullCode  = regexp.MustCompile(`(?i)stick[^0-9a-z]?([0-9a-hjkmnp-tv-z]{26})(?:[^0-9a-z]|$)`)
	shortCode = regexp.MustCompile(`(?i)^[0-9a-hjkmnp-tv-z]{7}$`)
)

// FindScanned finds the stick that a label's code names. Faults: scan_empty,
// scan_foreign{code}: that is no code of a stick's label; scan_unknown{code}:
// there is no such stick at the actor's sites; scan_twice{code}: more than one is
// called so.
func (c *Console) FindScanned(ctx context.Context, a Actor, code string) (Stick, error) {
	if err := allow(a, UseGetStick); err != nil {
		return Stick{}, err
	}
	code = strings.TrimSpace(strings.ToValidUTF8(code, ""))
	if len(code) > maxText {
		code = strings.ToValidUTF8(code[:maxText], "")
	}
	switch m := fullCode.FindStringSubmatch(code); {
	case code == "":
		return Stick{}, fault.New(fault.KindInvalid, CodeScanEmpty).At("code")
	case m != nil:
		s, err := c.GetStick(ctx, a, "stick_"+strings.ToLower(m[1]))
		if isNotFound(err, "stick") {
			err = fault.New(fault.KindNotFound, CodeScanUnknown, "code", code).At("code")
		}
		return s, err
	case !shortCode.MatchString(code):
		return Stick{}, fault.New(fault.KindInvalid, CodeScanForeign, "code", code).At("code")
	}
	sites, err := a.sites()
	if err != nil {
		return Stick{}, err
	}
	ids, err := c.store.SticksCalled(ctx, sites, code)
	switch {
	case err != nil:
		return Stick{}, err
	case len(ids) == 0:
		return Stick{}, fault.New(fault.KindNotFound, CodeScanUnknown, "code", code).At("code")
	case len(ids) > 1:
		return Stick{}, fault.New(fault.KindConflict, CodeScanTwice, "code", code).At("code")
	}
	return c.GetStick(ctx, a, ids[0].String())
}

// UndoStickMove takes back that a stick was handed out or returned, by what
// Scanned or its history names (helpdesk), as long as nothing happened to it
// since. Faults: stick_not_found, stick_moved_on, stick_busy.
func (c *Console) UndoStickMove(ctx context.Context, a Actor, id string, seq int64) (Stick, error) {
	return c.moveStick(ctx, a, UseUndoStickMove, MoveStickInput{ID: id}, func(tx *store.Tx, s *store.Stick, by store.Actor) (store.Stick, error) {
		return tx.UndoHandover(ctx, s.ID, seq, by)
	})
}

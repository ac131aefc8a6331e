package api

import (
	"context"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// What became of a user's data on a stick that came back, as Stick.Data has it.
const (
	DataOpen    = string(store.DataOpen)    // nobody has said: nothing is written to the stick
	DataNone    = string(store.DataNone)    // it holds none
	DataCopied  = string(store.DataCopied)  // it was copied
	DataGivenUp = string(store.DataGivenUp) // its loss was signed
)

// StickDataAnswers are the answers to what becomes of the data.
var StickDataAnswers = []string{DataNone, DataCopied, DataGivenUp}

// SettleStickDataInput says what becomes of a user's data.
type SettleStickDataInput struct {
	Stick  string // ID
	Data   string // one of StickDataAnswers
	Signer string // of DataGivenUp: the name of who answers for the loss
	Reason string // of DataGivenUp: why; of DataCopied: where the copy lies

	Revision int64 // of the stick as seen; 0 does not check
}

// SettleStickData answers the question that stands between a stick that came
// back and its next job (helpdesk). A verification that finds the stick as it was
// pressed, and a capture of it, answer it by themselves. Faults: stick_not_found,
// data_answer_unknown, signer_missing, data_reason_missing, text_too_long,
// stick_data_settled, stick_data_used: Windows has run from it, stick_busy, stale.
func (c *Console) SettleStickData(ctx context.Context, a Actor, in SettleStickDataInput) (Stick, error) {
	if err := allow(a, UseSettleStickData); err != nil {
		return Stick{}, err
	}
	p, err := in.clean()
	if err != nil {
		return Stick{}, err
	}
	s, err := c.findStick(ctx, a, in.Stick)
	if err != nil {
		return Stick{}, err
	}
	err = c.change(ctx, a, UseSettleStickData, func(tx *store.Tx, by store.Actor) error {
		now, err := tx.SettleStickData(ctx, s.ID, p, by)
		if err == nil {
			err = stickAsSeen(in.Stick, in.Revision, now.Revision)
		}
		if err != nil {
			return err
		}
		after := map[string]any{"data": now.Data}
		if p.Signer != "" {
			after["signer"] = p.Signer
		}
		if p.Reason != "" {
			after["reason"] = p.Reason
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSettleStickData), ObjectKind: "stick", ObjectID: in.Stick,
			Before: map[string]any{"data": s.Data}, After: after,
		})
	})
	if err != nil {
		return Stick{}, err
	}
	return c.GetStick(ctx, a, in.Stick)
}

// clean checks an answer. Only what belongs to it is kept.
func (in *SettleStickDataInput) clean() (store.StickDataSettled, error) {
	p := store.StickDataSettled{Data: store.StickData(in.Data)}
	if !slices.Contains(StickDataAnswers, in.Data) {
		return p, fault.New(fault.KindInvalid, CodeDataAnswerUnknown, "data", in.Data).At("data")
	}
	if in.Data != DataNone {
		p.Reason = strings.TrimSpace(in.Reason)
	}
	if in.Data == DataGivenUp {
		p.Signer = strings.TrimSpace(in.Signer)
	}
	var signer, reason error
	if in.Data == DataGivenUp && p.Signer == "" {
		signer = fault.New(fault.KindInvalid, CodeSignerMissing).At("signer")
	}
	if in.Data != DataNone && p.Reason == "" {
		reason = fault.New(fault.KindInvalid, CodeDataReason, "data", in.Data).At("reason")
	}
	return p, fault.All(signer, tooLong("signer", p.Signer, maxText), reason, tooLong("reason", p.Reason, maxNotes))
}

// Used reports whether the last comparison found that Windows has run from the
// stick, or that it was changed: then it does not hold no data.
func (s *Stick) Used() bool {
	return s.CheckFault != nil || s.Check != nil && s.Check.Outcome == protocol.OutcomeUsed
}

// DataOpen reports whether a device is a stick that came back and of which
// nobody has said what becomes of its user's data.
func (d *Device) DataOpen() bool { return d.Data == DataOpen }

// dataRefusal refuses a kind of job on a device over whose data nobody has
// decided.
func (d *Device) dataRefusal(k protocol.JobKind) *protocol.Fault {
	if !d.DataOpen() || !k.OrPress().Writes() {
		return nil
	}
	return protocol.NewFault(string(store.CodeStickDataOpen), "port", d.Port, "stick", d.StickID)
}

// Refusal is why the console or the host refuses the device for a kind of job,
// or nil.
func (d *Device) Refusal(k protocol.JobKind) *protocol.Fault {
	if f := d.Device.Refusal(k); f != nil {
		return f
	}
	return d.dataRefusal(k)
}

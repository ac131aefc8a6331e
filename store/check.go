package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// StickCheck is the payload of EventStickChecked: what a comparison of the
// stick with its record found, or why the stick is not as it should be.
type StickCheck struct {
	Result *protocol.CheckResult `json:"check,omitempty"`
	Fault  *protocol.Fault       `json:"fault,omitempty"`
}

// checkedStick names the stick that a host compared, and the disk that it was
// recorded as; zero for an event that is about none. The stick is known by what
// lies on it: it may be another one than the console took it for.
func checkedStick(e *protocol.Event) (id StickID, diskID string) {
	name := ""
	switch {
	case e.Result != nil && e.Result.Check != nil:
		name, diskID = e.Result.Check.StickID, e.Result.Check.DiskID
	case e.Fault != nil && (e.Fault.Code == protocol.FaultVerify || e.Fault.Code == protocol.FaultCopyChanged || e.Fault.Code == protocol.FaultWritten || e.Fault.Code == protocol.FaultUsedChanged):
		name, diskID = e.Fault.Params["stick"], e.Fault.Params["disk_id"]
	}
	id, _ = ParseID[StickID](name) // a stick of another console is none of ours
	return id, diskID
}

// applyCheck is applyStick for a build that compares. What the stick carries
// is what it was; only that it was looked at is new.
func (r *reporter) applyCheck(b *Build, cause *Event, e *protocol.Event) error {
	id, diskID := checkedStick(e)
	s, known := r.sticks[id]
	if !known || !b.State.Final() || s.stick.State != StickVerified || s.stick.DiskID != diskID || s.stick.Bytes != b.Device.Bytes {
		return nil // it was pressed again meanwhile, say, or cannot be what was read
	}
	check := StickCheck{Fault: e.Fault}
	if e.Result != nil {
		check.Result = e.Result.Check
		if why, other := r.otherContents[otherContent{s.stick.LastBuildID, check.Result.Common}]; other {
			check.Fault = why
		}
	}
	event := Event{Type: EventStickChecked, BuildID: b.ID, Attempt: b.Attempt, HostSeq: cause.HostSeq, HostAt: cause.HostAt}
	return r.stick(id, event, check)
}

// otherContent is a common part that is not that of the build which wrote the
// stick last.
type otherContent struct {
	wrote  BuildID
	common string
}

// loadOtherContents looks for comparisons that fit another content than their
// stick is recorded to carry: versions of a disk image may share what a stick is
// known by. The sticks are locked.
func (r *reporter) loadOtherContents(ctx context.Context, events []protocol.Event) error {
	found := map[StickID]string{}
	for i := range events {
		if res := events[i].Result; res != nil && res.Check != nil && res.Check.Common != "" {
			id, _ := checkedStick(&events[i])
			found[id] = res.Check.Common
		}
	}
	r.otherContents = map[otherContent]*protocol.Fault{}
	for id, common := range found {
		s, ok := r.sticks[id]
		if !ok || s.stick.LastBuildID.IsZero() {
			continue
		}
		var own string
		err := r.tx.db.QueryRow(ctx, `SELECT coalesce(result -> 'record' ->> 'common', '') FROM builds WHERE id = @id`,
			pgx.NamedArgs{"id": s.stick.LastBuildID}).Scan(&own)
		if err != nil {
			return fail(err, "look for what a stick should carry")
		}
		if own == "" || own == common {
			continue
		}
		why := protocol.NewFault(string(CodeOtherContent), "image", "–", "version", "–")
		version, err := r.tx.VersionOfRecord(ctx, common)
		if err == nil {
			var image, number string
			err = r.tx.db.QueryRow(ctx,
				`SELECT i.name, v.version FROM image_versions v JOIN images i ON i.id = v.image_id WHERE v.id = @id`,
				pgx.NamedArgs{"id": version}).Scan(&image, &number)
			why.Params["image"], why.Params["version"] = image, number
		}
		if err != nil && !errors.Is(err, NotFound("image_version", common)) {
			return fail(err, "look for what a stick carries")
		}
		r.otherContents[otherContent{s.stick.LastBuildID, common}] = why
	}
	return nil
}

// applyChecked notes when the stick was compared and what came of it. One that
// came back as it was pressed holds nothing of a user's.
func (s *Stick) applyChecked(e *StickEvent) error {
	p, err := decodePayload[StickCheck](&e.Event)
	if err != nil {
		return err
	}
	s.CheckedAt, s.CheckResult, s.CheckFault = &e.At, p.Result, p.Fault
	if s.Data == DataOpen && p.Fault == nil && p.Result != nil && p.Result.Outcome == protocol.OutcomeIntact {
		s.Data = DataNone // nobody has written to it
	}
	return nil
}

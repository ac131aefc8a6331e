package api

import (
	"context"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// wantRecords asks for the common parts that the console lacks, of what the
// host has just said that it wrote.
func wantRecords(ctx context.Context, r store.Reader, host store.HostID, events []protocol.Event, w *HostWork) error {
	var common []string
	for i := range events {
		if res := events[i].Result; res != nil && res.Record != nil && res.Record.Common != "" {
			common = append(common, res.Record.Common)
		}
	}
	if len(common) == 0 {
		return nil
	}
	lacking, err := r.LacksRecords(ctx, host, common)
	w.want(lacking)
	return err
}

func (w *HostWork) want(common []string) {
	for _, c := range common {
		w.Wants = append(w.Wants, protocol.WantRecord{Common: c})
	}
}

// HostRecord keeps the common part of records that a host was asked for, or
// that it has none. Faults: record_refused.
func (c *Console) HostRecord(ctx context.Context, s HostSession, m *protocol.Record) error {
	return c.store.InTx(ctx, func(tx *store.Tx) error { return tx.PutRecord(ctx, s.id, m) })
}

// RecordForHost answers a host that is to compare a stick of which it has no
// record, from what was written at its site. There being none is an answer, too,
// and so is one that no message can carry: to say nothing would have it ask
// again on each connection.
func (c *Console) RecordForHost(ctx context.Context, s HostSession, m *protocol.WantRecord) (protocol.Record, error) {
	answer := protocol.Record{WantRecord: *m}
	r, err := c.store.RecordOfDisk(ctx, s.id, m.DiskID, m.Bytes)
	switch {
	case isNotFound(err, "record"):
		return answer, nil
	case err != nil:
		return answer, err
	}
	own := recordOf(&r)
	whole := answer
	whole.Stick, whole.Body = &own, r.Body
	raw, err := protocol.Encode(&whole)
	if err != nil {
		return answer, err
	}
	if len(raw) > protocol.MaxMessage {
		c.log.WarnContext(ctx, "a stick's record is too long for its host", "stick_id", r.StickID.String(), "bytes", len(raw))
		return answer, nil
	}
	return whole, nil
}

// recordOf is a record under the name that the console has for its stick.
func recordOf(r *store.StickRecord) protocol.StickRecord {
	own := r.Own
	own.StickID = r.StickID.String()
	return own
}

// StickRecord returns what a stick is compared with, in the form that
// "stickpress-agent verify --record" reads. Faults: stick_not_found,
// record_not_found.
func (c *Console) StickRecord(ctx context.Context, a Actor, id string) (protocol.RecordFile, error) {
	s, err := c.findStick(ctx, a, id)
	if err != nil {
		return protocol.RecordFile{}, err
	}
	r, err := c.store.RecordOfStick(ctx, s.ID)
	if err != nil {
		return protocol.RecordFile{}, err
	}
	return protocol.RecordFile{Stick: recordOf(&r), Body: r.Body}, nil
}

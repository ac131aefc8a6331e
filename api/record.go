package api

import (
	"context"
	"slices"

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
	find := func() (store.StickRecord, error) {
		if m.Common != "" {
			return c.store.RecordOfContent(ctx, s.id, m.DiskID, m.Bytes, m.Common)
		}
		return c.store.RecordOfDisk(ctx, s.id, m.DiskID, m.Bytes)
	}
	r, err := find()
	switch {
	case isNotFound(err, "record"):
		return answer, nil
	case err != nil:
		return answer, err
	}
	own := recordOf(&r)
	if own.Copy && m.Common == "" {
		all, err := c.store.ContentsOfDisk(ctx, s.id, m.DiskID, m.Bytes)
		if err != nil {
			return answer, err
		}
		answer.Others = slices.DeleteFunc(all, func(common string) bool { return common == own.Common })
	}
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

// Carried is the version that a stick carries by its content.
type Carried struct {
	VersionID string `json:"version_id"`
	ImageName string `json:"image_name"`
	Version   string `json:"version"`
}

// carried names the version that a comparison found on a stick, nil where that
// is not known: versions of a disk image may share the ID by which a stick is
// known.
func carried(ctx context.Context, n *names, found *protocol.CheckResult) (*Carried, error) {
	if found == nil || found.Common == "" {
		return nil, nil //nolint:nilnil // as it says
	}
	id, err := n.r.VersionOfRecord(ctx, found.Common)
	if isNotFound(err, "image_version") {
		return nil, nil //nolint:nilnil // as it says
	}
	if err != nil {
		return nil, err
	}
	v, err := n.version(ctx, id)
	if err != nil {
		return nil, err
	}
	image, err := n.image(ctx, v.ImageID)
	return &Carried{VersionID: id.String(), ImageName: image, Version: v.Version}, err
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

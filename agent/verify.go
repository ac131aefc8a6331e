package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/record"
	"github.com/stickpress/stickpress/agent/stick"
)

// verify brings all attempts of a JobVerify to their end. No stick waits for
// another, and none is written to.
func (j *job) verify() {
	var all sync.WaitGroup
	for _, at := range j.attempts {
		all.Go(func() {
			if err := at.prove(); err != nil {
				j.fail([]*attempt{at}, err)
			}
		})
	}
	all.Wait()
}

// prove compares one stick with its record.
func (at *attempt) prove() error {
	held, err := at.openToRead()
	if err != nil {
		return err
	}
	at.StepDone(protocol.StepPreflight)
	if at.press() == nil {
		return at.why() // it ended meanwhile
	}
	at.StepBegun(protocol.StepVerify)
	rec, err := at.record(held)
	if err != nil {
		return err
	}
	begun := time.Now()
	found, read, err := stick.Reread(at.ctx, held, rec, func(done, total int64) { at.Progress(protocol.StepVerify, done, total) })
	if err != nil {
		return ofStick(err, at.stickOf(rec), rec.DiskID)
	}
	at.StepDone(protocol.StepVerify)
	found.StickID, found.DiskID = at.stickOf(rec), rec.DiskID
	at.verified(protocol.Result{
		BytesVerified: read, VerifyMS: time.Since(begun).Milliseconds(), DiskID: rec.DiskID, Check: &found,
	})
	return nil
}

// keep remembers the attempt's stick; nil is one that nobody can prove later.
func (at *attempt) keep(rec *stick.Record) {
	if rec == nil {
		return
	}
	rec.StickID = at.build.StickID // of a disk image only the server knows it
	at.r.records.keep(rec)
}

// record finds what the stick is compared with: by the disk that it says it is,
// else, where that is not known or not readable, by the one that it should be.
// Only this waits for the server, so it is given up when the agent stops.
func (at *attempt) record(d stick.Source) (*stick.Record, error) {
	ctx, cancel := context.WithCancelCause(at.ctx)
	defer cancel(nil)
	stop := context.AfterFunc(at.r.soft, func() { cancel(context.Cause(at.r.soft)) })
	defer stop()
	found, err := stick.DiskID(d)
	if err != nil {
		return nil, err
	}
	ids := []string{found}
	if v := at.build.Verify; v != nil && v.DiskID != found {
		ids = append(ids, v.DiskID)
	}
	for _, id := range ids {
		if id == "" {
			continue
		}
		rec, err := at.r.records.find(ctx, id, d.Size())
		if !errors.Is(err, record.ErrNone) {
			return rec, err
		}
	}
	return nil, protocol.NewFault(protocol.FaultNoRecord, "disk_id", found)
}

// stickOf names the stick that was compared. Copies of one disk image share
// their disk ID, and so their records: there the server's guess counts, and never
// the stick that was written last.
func (at *attempt) stickOf(rec *stick.Record) string {
	if v := at.build.Verify; rec.Copy || v != nil && v.DiskID == rec.DiskID {
		return at.build.StickID
	}
	return rec.StickID
}

// ofStick says in a fault about a stick's content which stick it is.
func ofStick(err error, stickID, diskID string) error {
	var f *protocol.Fault
	if !errors.As(err, &f) {
		return err
	}
	switch f.Code {
	case protocol.FaultVerify, protocol.FaultWritten, protocol.FaultUsedChanged:
		named := *f
		named.Params = map[string]string{"stick": stickID, "disk_id": diskID}
		for k, v := range f.Params {
			named.Params[k] = v
		}
		return &named
	}
	return err
}

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
	begun := time.Now()
	rec, found, read, err := at.compare(held)
	if err != nil {
		return err
	}
	at.StepDone(protocol.StepVerify)
	found.StickID, found.DiskID, found.Common = at.stickOf(rec), rec.DiskID, rec.Common
	at.verified(protocol.Result{
		BytesVerified: read, VerifyMS: time.Since(begun).Milliseconds(), DiskID: rec.DiskID, Check: &found,
	})
	return nil
}

// maxContents is how many contents a stick is compared with that all have its
// disk ID.
const maxContents = 8

// compare reads a stick and finds the record that it is as. Where none is, the
// fault is that of the first: what the stick should carry. Another content is
// told by its first bytes that differ, so that several cost little more.
func (at *attempt) compare(d stick.Source) (rec *stick.Record, found protocol.CheckResult, read int64, err error) {
	records, err := at.records(d)
	if err != nil {
		return nil, found, 0, err
	}
	var first error
	for range maxContents {
		rec, err := at.wait(records)
		if err != nil {
			if first != nil {
				err = first
			}
			return nil, found, 0, err
		}
		found, read, err = stick.Reread(at.ctx, d, rec, func(done, total int64) { at.Progress(protocol.StepVerify, done, total) })
		if err == nil {
			return rec, found, read, nil
		}
		err = ofStick(err, at.stickOf(rec), rec.DiskID)
		if !rec.Copy || protocol.AsFault(err).Code != protocol.FaultCopyChanged {
			return nil, found, 0, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, found, 0, first
}

// keep remembers the attempt's stick; nil is one that nobody can prove later.
func (at *attempt) keep(rec *stick.Record) {
	if rec == nil {
		return
	}
	rec.StickID = at.build.StickID // of a disk image only the server knows it
	at.r.records.keep(rec)
}

// records are what the stick may be compared with: by the disk that it says it
// is, and then, where that is not known or not readable, by the one that it
// should be.
func (at *attempt) records(d stick.Source) ([]*candidates, error) {
	id, err := stick.DiskID(d)
	if err != nil {
		return nil, err
	}
	should, prefer := "", ""
	if v := at.build.Verify; v != nil {
		should, prefer = v.DiskID, v.Common
	}
	var out []*candidates
	for _, known := range []string{id, should} {
		if known == "" || len(out) > 0 && known == id {
			continue
		}
		common := ""
		if known == should {
			common = prefer
		}
		out = append(out, at.r.records.find(known, d.Size(), common))
	}
	return append(out, &candidates{disk: protocol.WantRecord{DiskID: id}, asked: true}), nil
}

// wait returns the next record. Only this waits for the server, so it is given
// up when the agent stops.
func (at *attempt) wait(all []*candidates) (*stick.Record, error) {
	ctx, cancel := context.WithCancelCause(at.ctx)
	defer cancel(nil)
	stop := context.AfterFunc(at.r.soft, func() { cancel(context.Cause(at.r.soft)) })
	defer stop()
	for _, c := range all {
		rec, err := c.next(ctx)
		if !errors.Is(err, record.ErrNone) {
			return rec, err
		}
	}
	return nil, protocol.NewFault(protocol.FaultNoRecord, "disk_id", all[len(all)-1].disk.DiskID)
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
	case protocol.FaultVerify, protocol.FaultCopyChanged, protocol.FaultWritten, protocol.FaultUsedChanged:
		named := *f
		named.Params = map[string]string{"stick": stickID, "disk_id": diskID}
		for k, v := range f.Params {
			named.Params[k] = v
		}
		return &named
	}
	return err
}

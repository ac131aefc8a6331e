package hub_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// A record is asked for when its stick is verified, again on a new connection
// until it came, and handed to the host that has to compare the stick.
func TestRecords(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	host, a, job, b := runningOn(t, f, url, "bench")
	body := []byte(`{"format":1}`)
	sum := sha256.Sum256(body)
	common := hex.EncodeToString(sum[:])
	verified := event(b, 2, protocol.EventVerified)
	verified.Result = &protocol.Result{DiskID: "0000000a", Record: &protocol.StickRecord{DiskID: "0000000a", Bytes: b.Identity.Bytes, Common: common}}
	a.send(&protocol.Events{Events: []protocol.Event{verified}})
	if m := want[*protocol.WantRecord](a); m.Common != common || m.DiskID != "" {
		t.Fatalf("asked for %+v", m)
	}
	waitJob(t, f.Console, f.Viewer, job.ID, func(j *api.Job) bool { return j.Ended() })

	_ = a.ws.Close() // before the answer
	a = connect(t, url, host)
	a.resume()
	again := want[*protocol.WantRecord](a)
	which := &protocol.WantRecord{DiskID: "0000000a", Bytes: b.Identity.Bytes}
	a.send(which)
	if m := want[*protocol.Record](a); m.WantRecord != *which || m.Stick != nil || m.Body != nil {
		t.Errorf("before there is a record: %+v", m)
	}
	a.send(&protocol.Record{WantRecord: *again, Body: []byte(`{"format":2}`)}) // is not kept
	a.send(&protocol.Record{WantRecord: *again, Body: body})
	a.send(which)
	if m := want[*protocol.Record](a); m.Stick == nil || m.Stick.StickID != b.StickID || m.Stick.DiskID != "0000000a" || !bytes.Equal(m.Body, body) {
		t.Errorf("%+v", m)
	}
	_ = a.ws.Close()
	a = connect(t, url, host)
	a.resume()
	a.send(which)
	want[*protocol.Record](a)
	for _, m := range a.pending {
		if w, ok := m.(*protocol.WantRecord); ok {
			t.Errorf("asked again for %+v", w)
		}
	}
	// What no message can carry is answered as none, and the connection stays.
	_, err := f.Store.Pool().Exec(t.Context(), `UPDATE builds SET result = jsonb_set(result, '{record,zeros}',
		(SELECT jsonb_agg(jsonb_build_object('offset', n, 'length', 512)) FROM generate_series(1, 150000) AS n))`)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a.send(which)
		if m := want[*protocol.Record](a); m.WantRecord != *which || m.Stick != nil || m.Body != nil {
			t.Errorf("a record that is too long: %d bytes of %+v", len(m.Body), m.WantRecord)
		}
	}
}

package store_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/storetest"
)

var update = flag.Bool("update", false, "write the generated files anew")

func TestMain(m *testing.M) { storetest.Main(m) }

// open returns a store on a database of the test's own.
func open(t testing.TB) *store.Store {
	t.Helper()
	pool := storetest.Open(t)
	key := make([]byte, store.MasterKeySize)
	keys, err := store.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	st := store.New(pool, store.Options{Keys: keys})
	t.Cleanup(st.Close)
	return st
}

// in runs do in a transaction and returns its result.
func in[T any](t testing.TB, st *store.Store, do func(*store.Tx) (T, error)) T {
	t.Helper()
	v, err := try(t.Context(), st, do)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func try[T any](ctx context.Context, st *store.Store, do func(*store.Tx) (T, error)) (v T, err error) {
	err = st.InTx(ctx, func(tx *store.Tx) (err error) {
		v, err = do(tx)
		return err
	})
	return v, err
}

// none is try for what has no result.
func none(do func(*store.Tx) error) func(*store.Tx) (struct{}, error) {
	return func(tx *store.Tx) (struct{}, error) { return struct{}{}, do(tx) }
}

// wantCode fails unless err is a fault with the code.
func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("error %v, want the fault %s", err, code)
	}
}

// paramsOf are the parameters of a fault.
func paramsOf(err error) map[string]string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return nil
	}
	return f.Params
}

// world is what a job needs: a user, a host that is connected, a version, a
// task sequence.
type world struct {
	*store.Store
	t        testing.TB
	by       store.Actor
	host     store.Host
	version  store.Version
	sequence store.SequenceVersion
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Store: open(t), t: t}
	user := in(t, w.Store, func(tx *store.Tx) (store.User, error) {
		return tx.CreateUser(t.Context(), store.UserFields{Login: "ada", Name: "Ada", Role: store.RoleAdmin})
	})
	w.by = store.UserActor(user.ID)
	w.host = w.enroll("bench-1")
	sha := strings.Repeat("ab", 32)
	in(t, w.Store, none(func(tx *store.Tx) error {
		return tx.PutBlobRecord(t.Context(), protocol.BlobRecord{SHA256: sha, Bytes: 5, Blocks: []string{sha}})
	}))
	image := in(t, w.Store, func(tx *store.Tx) (store.Image, error) {
		return tx.CreateImage(t.Context(), store.ImageFields{Name: "win11-ent", Title: "Windows 11"})
	})
	w.version = in(t, w.Store, func(tx *store.Tx) (store.Version, error) {
		return tx.CreateVersion(t.Context(), store.NewVersion{
			ImageID: image.ID, Version: "1.0.0", SHA256: sha, Bytes: 5, Format: "wim", FileName: "install.wim",
			Editions: []store.Edition{{Index: 1, Name: "Enterprise", Languages: []string{"en-US"}}}, By: w.by,
		})
	})
	seq := in(t, w.Store, func(tx *store.Tx) (store.Sequence, error) { return tx.CreateSequence(t.Context(), "Standard", "") })
	w.sequence = in(t, w.Store, func(tx *store.Tx) (store.SequenceVersion, error) {
		return tx.AddSequenceVersion(t.Context(), seq.ID, seq.Revision, store.SequenceFields{
			Layout: protocol.LayoutMBRDual, Edition: 1, BootSignature: protocol.BootSignature2011,
			PortableOperatingSystem: true,
		}, w.by)
	})
	return w
}

// enroll adds a host and connects it.
func (w *world) enroll(name string) store.Host {
	w.t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	host := in(w.t, w.Store, func(tx *store.Tx) (store.Host, error) {
		return tx.EnrollHost(w.t.Context(), store.NewHost{SiteID: store.DefaultSite, Name: name, PublicKey: public})
	})
	return w.connect(host.ID)
}

func (w *world) connect(id store.HostID) store.Host {
	w.t.Helper()
	return in(w.t, w.Store, func(tx *store.Tx) (store.Host, error) {
		return tx.ConnectHost(w.t.Context(), id, "replica-a", &protocol.Hello{Version: "1.2.3", ProtocolMin: 1, ProtocolMax: 1})
	})
}

// device is the stick in a port; every port has a serial of its own.
func device(port int) protocol.Device {
	return protocol.Device{
		Identity: protocol.Identity{
			Kind: protocol.KindUSB, Port: fmt.Sprintf("1-%d", port), VIDPID: "0781:5583",
			Serial: fmt.Sprintf("4C53000%d", port), Bytes: 64_000_000_000, Connection: 1,
		},
		Path: fmt.Sprintf("/dev/sd%c", 'a'+port), Vendor: "SanDisk", Model: "Ultra", SectorSize: 512,
	}
}

// queue adds a job for the sticks in the ports.
func (w *world) queue(host store.HostID, ports ...int) (store.Job, error) {
	n := store.NewJob{
		HostID: host, Kind: protocol.JobPress, ImageVersionID: w.version.ID, Channel: "stable",
		TaskSequenceVersionID: w.sequence.ID, Reference: "INC-1", Variables: map[string]string{"a": "1"}, By: w.by,
	}
	for _, p := range ports {
		n.Builds = append(n.Builds, store.NewBuild{Device: device(p), Variables: map[string]string{"port": fmt.Sprint(p)}})
	}
	return try(w.t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) { return tx.QueueJob(w.t.Context(), n) })
}

func (w *world) mustQueue(host store.HostID, ports ...int) store.Job {
	w.t.Helper()
	job, err := w.queue(host, ports...)
	if err != nil {
		w.t.Fatal(err)
	}
	return job
}

func (w *world) claim(host store.Host, limit int) []store.Work {
	w.t.Helper()
	return in(w.t, w.Store, func(tx *store.Tx) ([]store.Work, error) {
		return tx.ClaimBuilds(w.t.Context(), host.ID, host.Session, protocol.JobKinds, limit)
	})
}

func (w *world) report(host store.Host, events ...protocol.Event) store.Applied {
	w.t.Helper()
	return in(w.t, w.Store, func(tx *store.Tx) (store.Applied, error) {
		return tx.ApplyHostEvents(w.t.Context(), host.ID, host.Session, events)
	})
}

func (w *world) job(id store.JobID) store.Job {
	w.t.Helper()
	job, err := w.Store.Job(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return job
}

// checkHistory fails the test if a projection differs from its events.
func (w *world) checkHistory() {
	w.t.Helper()
	report, err := w.Replay(w.t.Context(), true)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range report.Differences {
		w.t.Errorf("%s %s: %s is %s, its events say %s", d.Kind, d.ID, d.Field, d.Stored, d.Replayed)
	}
}

// said makes the events of an attempt, numbered from the given host_seq.
func said(ref protocol.AttemptRef, from int64, events ...protocol.Event) []protocol.Event {
	for i := range events {
		events[i].AttemptRef, events[i].HostSeq = ref, from+int64(i)
		events[i].At = time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	}
	return events
}

// goodRun is an attempt that ends with a verified stick.
func goodRun(ref protocol.AttemptRef) []protocol.Event {
	return said(ref, 1,
		protocol.Event{Type: protocol.EventAccepted},
		protocol.Event{Type: protocol.EventStepBegun, Step: protocol.StepWrite},
		protocol.Event{Type: protocol.EventTouched},
		protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Text: "nul \x00 and \\u0000"}},
		protocol.Event{Type: protocol.EventStepDone, Step: protocol.StepWrite},
		protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{BytesWritten: 7, DiskID: "deadbeef"}},
	)
}

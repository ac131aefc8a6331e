package snapshot_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/snapshot"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// console is a console in which a stick was pressed and another is under way.
func console(t *testing.T) *apitest.Fixture {
	t.Helper()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	a, b := apitest.Stick("a"), apitest.Stick("b")
	_, s := f.Connect(t, "bench", a, b)
	in := apitest.Order("win11-ent", "bench", a, b)
	in.Holder, in.ExternalRef = "Ada \\ \"Lovelace\"\t\u2028\n\\.\n", api.ExternalRef{ID: "\\N"}
	if _, err := f.QueueJob(t.Context(), f.Helpdesk, in); err != nil {
		t.Fatal(err)
	}
	w, err := f.HostClaim(t.Context(), s)
	if err != nil || len(w.Assigns) != 1 {
		t.Fatalf("%+v, %v", w, err)
	}
	ref := protocol.AttemptRef{BuildID: w.Assigns[0].Builds[0].BuildID, Attempt: 1}
	if _, err := f.HostEvents(t.Context(), s, []protocol.Event{
		{AttemptRef: ref, HostSeq: 1, Type: protocol.EventAccepted},
		{AttemptRef: ref, HostSeq: 2, Type: protocol.EventTouched},
		{AttemptRef: ref, HostSeq: 3, Type: protocol.EventVerified, Result: &protocol.Result{DiskID: "deadbeef", BytesWritten: 7}},
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

func url(f *apitest.Fixture) string { return f.Store.Pool().Config().ConnString() }

func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func write(t *testing.T, f *apitest.Fixture, to ...age.Recipient) ([]byte, snapshot.Manifest) {
	t.Helper()
	var out bytes.Buffer
	m, err := snapshot.Write(t.Context(), f.Store.Pool(), &out, snapshot.WriteOptions{Recipients: to, Program: "test", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), m
}

// dump is a database as pg_dump tells it: its schema, and its rows in any order.
func dump(t *testing.T, url string, args ...string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
	program := "pg_dump"
	if len(found) > 0 {
		program = found[len(found)-1]
	}
	args = append([]string{"--no-owner", "--no-comments", "--restrict-key=test"}, append(args, url)...)
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil && strings.Contains(string(out), "restrict-key") { // older ones have no such lines
		out, err = exec.CommandContext(t.Context(), program, append(args[:2:2], args[3:]...)...).CombinedOutput()
	}
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, out)
	}
	lines := strings.Split(string(out), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Everything comes back in another database as it was, as pg_dump sees it, and
// the console goes on from there.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	f := console(t)
	id := identity(t)
	raw, m := write(t, f, id.Recipient())
	checked, err := snapshot.Check(bytes.NewReader(raw), id)
	if err != nil || checked.Rows() != m.Rows() || len(checked.Blobs) != 1 || len(checked.KeyIDs) != 1 || checked.Blobs[0].Bytes != int64(len(apitest.WIM(t))) {
		t.Fatalf("%+v, %v", checked, err)
	}
	to := storetest.Empty(t)
	if _, err := snapshot.Load(t.Context(), to, bytes.NewReader(raw), slog.New(slog.DiscardHandler), id); err != nil {
		t.Fatal(err)
	}
	if a, b := dump(t, url(f), "--schema-only"), dump(t, to, "--schema-only"); a != b {
		t.Error("the schemas differ")
	}
	rows := []string{"--data-only", "--inserts", "--schema=public"}
	for _, table := range []string{"job_events", "stick_events", "webhook_reader", "schema_migrations"} { // in which numbers of the cluster are
		rows = append(rows, "--exclude-table="+table)
	}
	if a, b := dump(t, url(f), rows...), dump(t, to, rows...); a != b || !strings.Contains(a, "Lovelace") {
		t.Errorf("rows differ:\n%s", difference(a, b))
	}
	for _, table := range []string{"job_events", "stick_events"} {
		sql := `SELECT to_jsonb(e) - 'xact' FROM ` + table + ` AS e ORDER BY id`
		if a, b := texts(t, url(f), sql), texts(t, to, sql); len(a) == 0 || !slices.Equal(a, b) {
			t.Errorf("%s: %v\n%v", table, a, b)
		}
	}
	keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	back, err := store.Open(t.Context(), to, store.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	report, err := back.Replay(t.Context(), true)
	if err != nil || len(report.Differences) > 0 || report.Jobs != 1 || report.Sticks != 2 {
		t.Errorf("replay: %+v, %v", report, err)
	}
	// Those who follow all events get the old ones and the next.
	before, err := back.Feed(t.Context(), store.Cursor{}, store.FeedFilter{Limit: 100})
	if err != nil || len(before) < 5 {
		t.Fatalf("%d events, %v", len(before), err)
	}
	err = back.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.RequestCancel(t.Context(), before[0].JobID, store.System)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	last := before[len(before)-1]
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	after, err := back.Feed(ctx, last.Cursor(), store.FeedFilter{Limit: 100})
	for err == nil && len(after) == 0 { // behind what other tests have begun
		after, err = back.Feed(ctx, last.Cursor(), store.FeedFilter{Limit: 100})
	}
	if err != nil || after[0].Stream != store.StreamJobs || after[0].JobID != before[0].JobID || after[0].Xact <= last.Xact {
		t.Errorf("%+v, %v", after, err)
	}
	if _, err := snapshot.Load(t.Context(), to, bytes.NewReader(raw), slog.New(slog.DiscardHandler), id); !errors.Is(err, snapshot.ErrNotEmpty) {
		t.Errorf("once more: %v", err)
	}
}

// difference is the lines of which only one has.
func difference(a, b string) string {
	var out []string
	inA, inB := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, l := range inA {
		if _, ok := slices.BinarySearch(inB, l); !ok {
			out = append(out, "- "+l)
		}
	}
	for _, l := range inB {
		if _, ok := slices.BinarySearch(inA, l); !ok {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}

// What is written while a snapshot is made is in it whole or not at all.
func TestOneMoment(t *testing.T) {
	t.Parallel()
	f := console(t)
	id := identity(t)
	ctx, cancel := context.WithCancel(t.Context())
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ctx.Err() == nil; n++ {
			_, err := f.CreateUser(ctx, f.System, api.CreateUserInput{Login: fmt.Sprintf("user-%d", n), Role: api.RoleViewer})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			if n == 0 {
				close(begun)
			}
		}
	}()
	<-begun
	var out bytes.Buffer
	_, err := snapshot.Write(t.Context(), f.Store.Pool(), &out, snapshot.WriteOptions{Recipients: []age.Recipient{id.Recipient()}, Program: "test", Now: time.Now()})
	cancel()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	to := storetest.Empty(t)
	if _, err := snapshot.Load(t.Context(), to, &out, slog.New(slog.DiscardHandler), id); err != nil {
		t.Fatal(err)
	}
	// Each person has exactly one line in the audit log.
	people := texts(t, to, `SELECT login FROM users ORDER BY login`)
	told := texts(t, to, `SELECT after ->> 'login' FROM audit WHERE action = 'create_user' ORDER BY 1`)
	if len(people) < 4 || !slices.Equal(people, told) {
		t.Errorf("people %v, and in the audit log %v", people, told)
	}
}

// texts are the answers to a question, as text.
func texts(t *testing.T, url, sql string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, _ := conn.Query(t.Context(), sql)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A file that was changed, cut off, or is opened with another key says so, and
// leaves an empty database behind, which takes the right one afterwards.
func TestRefuses(t *testing.T) {
	t.Parallel()
	f := console(t)
	id := identity(t)
	raw, _ := write(t, f, id.Recipient())
	to := storetest.Empty(t)
	load := func(raw []byte, by age.Identity) error {
		t.Helper()
		_, checked := snapshot.Check(bytes.NewReader(raw), by)
		_, loaded := snapshot.Load(t.Context(), to, bytes.NewReader(raw), slog.New(slog.DiscardHandler), by)
		if checked == nil || loaded == nil {
			t.Errorf("checked: %v, loaded: %v", checked, loaded)
		}
		return checked
	}
	isOf := func(what string, err error, wants ...error) {
		t.Helper()
		if !slices.ContainsFunc(wants, func(w error) bool { return errors.Is(err, w) }) {
			t.Errorf("%s: %v", what, err)
		}
	}
	isOf("another key", load(raw, identity(t)), snapshot.ErrWrongKey)
	isOf("nothing", load(nil, id), snapshot.ErrNotSnapshot)
	isOf("another file", load([]byte("PGDMP\x01\x0e and so on, none of ours"), id), snapshot.ErrNotSnapshot)
	for i := 1; i < 20; i++ {
		at := len(raw) * i / 20
		isOf(fmt.Sprintf("cut at %d of %d", at, len(raw)), load(raw[:at], id), snapshot.ErrCut, snapshot.ErrDamaged)
		changed := bytes.Clone(raw)
		changed[at] ^= 1
		isOf(fmt.Sprintf("changed at %d of %d", at, len(raw)), load(changed, id), snapshot.ErrDamaged, snapshot.ErrNotSnapshot, snapshot.ErrWrongKey)
	}
	isOf("cut before its last byte", load(raw[:len(raw)-1], id), snapshot.ErrCut, snapshot.ErrDamaged)
	for name, change := range map[string]func(*entries){
		"no manifest":     func(e *entries) { e.drop("manifest.json") },
		"no table":        func(e *entries) { e.drop("tables/users/000001") },
		"a strange table": func(e *entries) { e.name("tables/users/000001", "tables/pg_authid/000001") },
		"other rows":      func(e *entries) { e.replace("tables/users/000001", "helpdesk", "helpdusk") },
		"a count":         func(e *entries) { e.replace("manifest.json", `"rows":1,`, `"rows":2,`) },
		"a newer format":  func(e *entries) { e.replace("header.json", `"format":1`, `"format":2`) },
		"two manifests":   func(e *entries) { e.twice("manifest.json") },
	} {
		want := snapshot.ErrDamaged
		switch name {
		case "no manifest":
			want = snapshot.ErrCut
		case "a newer format":
			want = snapshot.ErrNewer
		}
		isOf(name, load(forged(t, raw, id, change), id), want)
	}
	if got := texts(t, to, `SELECT name FROM sites`); !slices.Equal(got, []string{"Default"}) {
		t.Errorf("sites %v", got)
	}
	if _, err := snapshot.Load(t.Context(), to, bytes.NewReader(raw), slog.New(slog.DiscardHandler), id); err != nil {
		t.Error(err)
	}
}

// entries are those of a snapshot without its wrapping.
type entries struct{ list []entry }

type entry struct {
	name string
	body []byte
}

func (e *entries) find(name string) int {
	return slices.IndexFunc(e.list, func(x entry) bool { return x.name == name })
}

func (e *entries) drop(name string) { i := e.find(name); e.list = slices.Delete(e.list, i, i+1) }

func (e *entries) name(name, to string) { e.list[e.find(name)].name = to }

func (e *entries) twice(name string) { e.list = append(e.list, e.list[e.find(name)]) }

func (e *entries) replace(name, from, to string) {
	x := &e.list[e.find(name)]
	x.body = bytes.Replace(x.body, []byte(from), []byte(to), 1)
}

// forged is a snapshot by somebody who has the key.
func forged(t *testing.T, raw []byte, id *age.X25519Identity, change func(*entries)) []byte {
	t.Helper()
	plain, err := age.Decrypt(bytes.NewReader(raw), id)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := zstd.NewReader(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer unpacked.Close()
	var e entries
	for in := tar.NewReader(unpacked); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		e.list = append(e.list, entry{h.Name, body})
	}
	change(&e)
	var out bytes.Buffer
	sealed, err := age.Encrypt(&out, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	packed, err := zstd.NewWriter(sealed)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(packed)
	for _, x := range e.list {
		if err := archive.WriteHeader(&tar.Header{Name: x.name, Size: int64(len(x.body)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(x.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), packed.Close(), sealed.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/keypair"
)

// desk is a console in a folder that no server runs on.
type desk struct {
	t    *testing.T
	data string
	url  string // of something that answers /readyz, or empty
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, data: filepath.Join(t.TempDir(), "data")}
	if err := os.MkdirAll(filepath.Join(d.data, "postgres"), 0o700); err != nil {
		t.Fatal(err)
	}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(up.Close)
	d.url = up.URL
	return d
}

// admin runs an admin command.
func (d *desk) admin(stdin string, args ...string) (string, error) {
	var out strings.Builder
	args = append(append([]string{"admin"}, args...), "--data", d.data)
	if d.url != "" {
		args = append(args, "--public-url", d.url)
	}
	_, err := run(d.t.Context(), args, nil, strings.NewReader(stdin), &out, io.Discard)
	return out.String(), err
}

// inside does something with the console itself.
func (d *desk) inside(do func(*cobra.Command, *server) error) {
	d.t.Helper()
	c := &cobra.Command{Use: "inside", SilenceUsage: true, RunE: withServer(nil, func(cmd *cobra.Command, _ []string, s *server) error { return do(cmd, s) })}
	addConfigFlags(c.Flags())
	c.SetArgs([]string{"--data", d.data})
	c.SetErr(io.Discard)
	if err := c.ExecuteContext(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// findings are what the doctor says, the worst of each check.
func (d *desk) findings(flags ...string) (map[string]finding, error) {
	d.t.Helper()
	out, err := d.admin("", append([]string{"doctor", "--json"}, flags...)...)
	var list []finding
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	rank := map[string]int{findingOK: 1, findingWarn: 2, findingFail: 3}
	worst := map[string]finding{}
	for _, f := range list {
		if rank[f.Status] == 0 || f.Says == "" {
			d.t.Errorf("%+v", f)
		}
		if rank[f.Status] > rank[worst[f.Check].Status] {
			worst[f.Check] = f
		}
	}
	return worst, err
}

// want fails the test unless a check came out so.
func want(t *testing.T, found map[string]finding, check, status, says string) {
	t.Helper()
	if f := found[check]; f.Status != status || !strings.Contains(f.Says, says) {
		t.Errorf("%s: %+v, want %s with %q", check, f, status, says)
	}
}

// The doctor says what is wrong; a failure is its exit code, a warning is not.
func TestDoctor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.admin("correct horse battery\n", "create", "ada"); err != nil {
		t.Fatal(err)
	}
	var digest string
	d.inside(func(cmd *cobra.Command, s *server) error {
		staged, err := s.staging.Receive(cmd.Context(), map[string]string{"filename": "a.wim"}, bytes.NewReader(apitest.WIM(t)))
		if err != nil {
			return err
		}
		system := api.System("test")
		if _, err := s.console.UploadFinished(cmd.Context(), system, staged.ID); err != nil {
			return err
		}
		v, err := s.console.PublishVersion(cmd.Context(), system, api.PublishVersionInput{UploadID: staged.ID, Image: "win", Version: "1.0.0"})
		digest = v.SHA256
		return err
	})
	found, err := d.findings()
	if err != nil {
		t.Errorf("a console that is well: %v, %+v", err, found)
	}
	for _, check := range []string{"settings", "tools", "database", "master key", "image files", "work", "certificate"} {
		want(t, found, check, findingOK, "")
	}
	want(t, found, "hosts", findingWarn, "none")
	want(t, found, "backup", findingWarn, "none was ever made")
	want(t, found, "public URL", findingWarn, "this machine")

	pass, file := filepath.Join(d.data, "pass"), filepath.Join(d.data, "b.age")
	if err := os.WriteFile(pass, []byte("correct horse battery"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.admin("", "backup", file, "--passphrase-file", pass); err != nil {
		t.Error(err)
	}
	// A restored console knows from where it is, until it makes a backup itself.
	for age, level := range map[time.Duration]string{10 * 24 * time.Hour: findingWarn, time.Hour: findingOK} {
		r := restored{MadeAt: time.Now().Add(-age), RestoredAt: time.Now().Add(time.Minute)}
		if err := noteRestore(d.data, r); err != nil {
			t.Fatal(err)
		}
		found, _ = d.findings()
		want(t, found, "backup", level, "from the one of "+r.MadeAt.UTC().Format("2006-01-02 15:04Z"))
	}
	if err := os.Remove(filepath.Join(d.data, restoredFile)); err != nil {
		t.Fatal(err)
	}
	key, kept := filepath.Join(d.data, "master.key"), filepath.Join(d.data, "kept")
	image := filepath.Join(d.data, "blobs", "sha256", digest[:2], digest)
	if err := errors.Join(os.Rename(key, kept), os.Remove(image)); err != nil {
		t.Fatal(err)
	}
	found, err = d.findings("--listen", "127.0.0.1:1")
	if !errors.Is(err, errUnwell) || exitCode(err) != exitFailed {
		t.Errorf("a console that is unwell: %v", err)
	}
	want(t, found, "backup", findingOK, "the last one is of")
	want(t, found, "master key", findingFail, "missing")
	want(t, found, "image files", findingFail, digest)
	if _, err := os.Stat(key); err == nil {
		t.Error("the doctor made a new key")
	}
	if err := os.Rename(kept, key); err != nil {
		t.Fatal(err)
	}
	d.url = "http://127.0.0.1:1"
	found, _ = d.findings(pair(t, -900*24*time.Hour)...)
	want(t, found, "master key", findingOK, "")
	want(t, found, "public URL", findingFail, "does not answer")
	want(t, found, "certificate", findingFail, "is over since")
	found, _ = d.findings(pair(t, -815*24*time.Hour)...)
	want(t, found, "certificate", findingWarn, "ends on")
}

// The doctor looks at every host, not only at a page of them, and says so where it
// does not.
func TestDoctorOfManyHosts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.admin("correct horse battery\n", "create", "ada"); err != nil {
		t.Fatal(err)
	}
	var bounded doctor
	d.inside(func(cmd *cobra.Command, s *server) error {
		_, err := s.store.Pool().Exec(cmd.Context(),
			`INSERT INTO hosts (id, site_id, name, public_key, state, protocol_min, protocol_max, last_seen_at, enrolled_at, updated_at)
			SELECT gen_random_uuid(), (SELECT id FROM sites WHERE is_default), 'bench-' || to_char(n, 'FM000'), decode(lpad(to_hex(n), 64, '0'), 'hex'), 'enrolled',
				0, 0, now() - CASE WHEN n > 430 THEN interval '8 days' ELSE interval '1 day' END, now(), now()
			FROM generate_series(1, 450) AS n`)
		bounded.hosts(cmd.Context(), s.store, 430)
		return err
	})
	found, err := d.findings()
	if err != nil {
		t.Errorf("a warning is a failure: %v", err)
	}
	want(t, found, "hosts", findingWarn, "bench-440 and 10 more")
	if len(bounded.findings) != 2 || bounded.findings[0].Says != "those after bench-430 were not looked at: 430 are the most" || bounded.findings[1].Says != "430, 0 of them online" {
		t.Errorf("of 430 it says %+v", bounded.findings)
	}
}

// Of a database in which nothing may be made the doctor says what to grant, and
// the server does not start.
func TestDoctorWithoutRights(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.admin("correct horse battery\n", "create", "ada"); err != nil {
		t.Fatal(err)
	}
	d.inside(func(cmd *cobra.Command, s *server) error {
		_, err := s.store.Pool().Exec(cmd.Context(), `DROP EXTENSION btree_gist CASCADE;
			DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM CURRENT_USER', current_database()); END $$`)
		return err
	})
	found, err := d.findings()
	if !errors.Is(err, errUnwell) {
		t.Errorf("the doctor found nothing: %v", err)
	}
	want(t, found, "database", findingFail, "GRANT CREATE ON DATABASE")
	if _, err := d.admin("correct horse battery\n", "create", "bob"); err == nil || !strings.Contains(sentence(err), "btree_gist") {
		t.Errorf("a console in it: %v", err)
	}
}

// Somebody dropped the extension who could, and so could this program make it: what
// went with it is not back by that alone. What the doctor says to do brings it back.
func TestDoctorWithoutExtension(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.admin("correct horse battery\n", "create", "ada"); err != nil {
		t.Fatal(err)
	}
	run := func(sql string) {
		t.Helper()
		d.inside(func(cmd *cobra.Command, s *server) error {
			_, err := s.store.Pool().Exec(cmd.Context(), sql)
			return err
		})
	}
	definition := func() (text string) {
		t.Helper()
		d.inside(func(cmd *cobra.Command, s *server) error {
			return s.store.Pool().QueryRow(cmd.Context(),
				`SELECT coalesce(max(pg_get_constraintdef(oid)), '') FROM pg_constraint WHERE conname = 'builds_reference_open_excl'`).Scan(&text)
		})
		return text
	}
	before := definition()
	for _, dropped := range []string{`DROP EXTENSION btree_gist CASCADE`, `ALTER TABLE builds DROP CONSTRAINT builds_reference_open_excl`} {
		run(dropped)
		found, err := d.findings()
		if !errors.Is(err, errUnwell) {
			t.Errorf("%s: the doctor found nothing: %v", dropped, err)
		}
		want(t, found, "database", findingFail, "two jobs at a time")
		_, repair, ok := strings.Cut(found["database"].Do, "Run in this database: ")
		if !ok {
			t.Fatalf("%+v", found["database"])
		}
		run(repair)
		if after := definition(); before == "" || after != before {
			t.Errorf("%s: %q became %q", dropped, before, after)
		}
	}
	found, err := d.findings()
	if err != nil {
		t.Errorf("repaired: %v", err)
	}
	want(t, found, "database", findingOK, "")
}

// Of a database that cannot be used the doctor says what is the matter with it.
func TestDoctorOfDatabases(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.admin("correct horse battery\n", "create", "ada"); err != nil {
		t.Fatal(err)
	}
	// A migration was cut off, so that it was not applied.
	d.inside(func(cmd *cobra.Command, s *server) error {
		_, err := s.store.Pool().Exec(cmd.Context(), `UPDATE schema_migrations SET dirty = true`)
		return err
	})
	found, _ := d.findings("--database-url", "postgres://ada@127.0.0.1:1/one")
	want(t, found, "database", findingFail, "refused")
	if f := found["database"]; strings.ContainsAny(f.Says, "\n\t") {
		t.Errorf("%+v", f)
	}
	found, _ = d.findings()
	want(t, found, "database", findingWarn, "brings it up to date when it starts")
	for code, do := range map[string]string{"28P01": "password", "28000": "password", "3D000": "Make", "53300": "runs"} {
		if said := unreached(fmt.Errorf("reach: %w", &pgconn.PgError{Code: code})); !strings.Contains(said, do) {
			t.Errorf("%s: %q", code, said)
		}
	}
}

// pair makes a certificate that began some time from now.
func pair(t *testing.T, begun time.Duration) (flags []string) {
	t.Helper()
	cert, key, err := keypair.SelfSigned([]string{"localhost"}, time.Now().Add(begun))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, raw := range map[string][]byte{"tls-cert": cert, "tls-key": key} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "--"+name, path)
	}
	return flags
}

// Files go when somebody says so, and not before; a person gets in again.
func TestCollectAndReset(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.admin("correct horse battery\n", "create", "ada"); err != nil {
		t.Fatal(err)
	}
	out, err := d.admin("", "reset", "ADA", "--second-factor")
	if err != nil || !strings.HasPrefix(out, d.url+"/sign-in/password?token=") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := d.admin("", "reset", "bob"); err == nil {
		t.Error("somebody who is not there was reset")
	}
	var image string
	d.inside(func(cmd *cobra.Command, s *server) error {
		staged, err := s.staging.Receive(cmd.Context(), map[string]string{"filename": "a.wim"}, bytes.NewReader(apitest.WIM(t)))
		if err != nil {
			return err
		}
		u, err := s.console.UploadFinished(cmd.Context(), api.System("test"), staged.ID)
		image = filepath.Join(d.data, "blobs", "sha256", u.SHA256[:2], u.SHA256)
		return err
	})
	if out, err := d.admin("", "gc", "--delete", "--json"); err != nil || strings.TrimSpace(out) != "[]" {
		t.Errorf("of this moment: %s, %v", out, err)
	}
	old := time.Now().AddDate(0, 0, -8)
	if err := os.Chtimes(image, old, old); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--delete"}} {
		out, err := d.admin("", append([]string{"gc"}, flags...)...)
		if err != nil || !strings.Contains(out, filepath.Base(image)) || !strings.Contains(out, api.GarbageUnpublished) {
			t.Errorf("%v: %s, %v", flags, out, err)
		}
		if _, gone := os.Stat(image); (gone != nil) != (flags != nil) {
			t.Errorf("%v: the file: %v", flags, gone)
		}
	}
	if _, err := d.admin("", "gc", "--grace", "1h"); exitCode(err) != exitRefused {
		t.Errorf("an hour's grace: %v", err)
	}
}

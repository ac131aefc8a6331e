// Package backup holds the end-to-end test of a backup: what a console answered
// before, another one in another data folder answers after it was brought back.
package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

func TestMain(m *testing.M) { world.Main(m) }

const (
	mib = 1 << 20
	// stickBytes is what is sold as 32 GB.
	stickBytes = 30_752_636_928
)

// otherPostgres names a folder with the server programs of another Postgres (its
// bin), newer than the installed one: the backup is brought back into that.
const otherPostgres = "STICKPRESS_OTHER_POSTGRES"

func TestBackup(t *testing.T) {
	from := busy(t)
	file, pass := filepath.Join(from.Dir, "console.age"), filepath.Join(from.Dir, "passphrase")
	write(t, pass, "correct horse battery staple\n")
	token, err := from.Client.CreateToken(from.Context(), api.CreateTokenInput{Name: "reader", Role: api.RoleAdmin})
	if err != nil {
		t.Fatal(err)
	}
	before := answers(from, token.Secret)
	say(t, from, "", "admin", "backup", file, "--passphrase-file", pass, "--data", from.Data())
	say(t, from, "is there already", "admin", "backup", file, "--passphrase-file", pass, "--data", from.Data())

	to := world.Unstarted(t)
	other := os.Getenv(otherPostgres)
	if other != "" {
		t.Setenv("PATH", other+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	restore := func(want, file, pass string, flags ...string) {
		t.Helper()
		say(t, to, want, append([]string{"admin", "restore", file, "--passphrase-file", pass, "--data", to.Data()}, flags...)...)
		if want == "" {
			return
		}
		if _, err := os.Stat(filepath.Join(to.Data(), "postgres")); err == nil {
			t.Fatalf("%s: a database was made", want)
		}
	}
	restore("master key is missing", file, pass)
	if err := os.MkdirAll(to.Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(to.Data(), "master.key"), read(t, filepath.Join(from.Data(), "master.key")))
	restore("1 of 1 image files", file, pass)
	if err := os.CopyFS(filepath.Join(to.Data(), "blobs"), os.DirFS(filepath.Join(from.Data(), "blobs"))); err != nil {
		t.Fatal(err)
	}
	wrong, cut, changed := filepath.Join(to.Dir, "wrong"), filepath.Join(to.Dir, "cut"), filepath.Join(to.Dir, "changed")
	write(t, wrong, "another passphrase\n")
	restore("cannot be opened with this passphrase", file, wrong)
	whole := []byte(read(t, file))
	write(t, cut, string(whole[:len(whole)*2/3]))
	restore("The backup was changed, or is damaged or cut off", cut, pass)
	write(t, changed, string(flipped(whole, len(whole)/2)))
	restore("The backup was changed, or is damaged or cut off", changed, pass)

	say(t, to, "", "admin", "restore", file, "--check", "--passphrase-file", pass, "--data", to.Data())
	say(t, to, "", "admin", "restore", file, "--passphrase-file", pass, "--data", to.Data())
	say(t, to, "the database is not empty", "admin", "restore", file, "--passphrase-file", pass, "--data", to.Data())
	if out := say(t, to, "", "replay", "--check", "--data", to.Data()); !strings.Contains(out, " 0 differences") || strings.HasPrefix(out, "0 jobs") {
		t.Errorf("replay: %s", out)
	}
	to.StartServer()
	compare(t, before, answers(to, token.Secret))
	was, is := major(t, from), major(t, to)
	t.Logf("from Postgres %s to %s", was, is)
	if other != "" && was == is {
		t.Errorf("both consoles have Postgres %s: %s names no newer one", is, otherPostgres)
	}
}

// major is the version of a console's own Postgres.
func major(t *testing.T, w *world.World) string {
	t.Helper()
	return strings.TrimSpace(read(t, filepath.Join(w.Data(), "postgres", "cluster", "PG_VERSION")))
}

func flipped(b []byte, at int) []byte {
	out := bytes.Clone(b)
	out[at] ^= 1
	return out
}

// busy is a console that has done something of everything, and does nothing now.
func busy(t *testing.T) *world.World {
	t.Helper()
	w := world.New(t)
	w.SetUp()
	w.AddStick("stick-1", stickBytes)
	w.AddStick("stick-2", 64*mib)
	w.Enrol(0, 0)
	w.Publish("", "1.0.0")
	press := api.QueueJobInput{Image: "win-sample", Host: world.Host, Holder: "Ada \\ Lovelace\t„é“", ExternalRef: api.ExternalRef{ID: "INC-1"}}
	press.Devices = []api.QueueDevice{{Identity: device(w, "stick-1.img", protocol.JobPress)}}
	done(w, press)
	wipe := api.QueueJobInput{Kind: protocol.JobWipe, Host: world.Host, Options: protocol.JobOptions{
		Wipe: &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1},
	}}
	wipe.Devices = []api.QueueDevice{{Identity: device(w, "stick-2.img", protocol.JobWipe)}}
	done(w, wipe)
	w.Agent.Stop()
	w.Until("the host is away", func() (bool, error) {
		host, err := w.Client.GetHost(w.Context(), world.Host)
		return !host.Online, err
	})
	// Both have one address, as they do in life: it is on the labels.
	address := api.SaveSettingInput{Name: api.SettingPublicURL, Value: "https://press.example.org", Revision: api.Absent}
	if _, err := w.Client.SaveSetting(w.Context(), address); err != nil {
		t.Fatal(err)
	}
	return w
}

func device(w *world.World, port string, kind protocol.JobKind) (id protocol.Identity) {
	w.T.Helper()
	w.Until(port+" is free", func() (bool, error) {
		host, err := w.Client.GetHost(w.Context(), world.Host)
		for _, d := range host.Devices {
			if d.Port == port && d.JobID == "" && !d.Busy && d.Refusal(kind) == nil {
				id = d.Identity
			}
		}
		return id.Port != "" && host.Online, err
	})
	return id
}

// done queues a job that must succeed.
func done(w *world.World, in api.QueueJobInput) {
	w.T.Helper()
	job, err := w.Client.QueueJob(w.Context(), in)
	if err != nil {
		w.T.Fatal(err)
	}
	w.Until("the job has ended", func() (bool, error) {
		job, err = w.Client.GetJob(w.Context(), job.ID)
		return job.Ended(), err
	})
	if job.State != "succeeded" {
		w.T.Fatalf("%s job is %s: %+v", job.Kind, job.State, job.Builds[0].Fault)
	}
}

// say runs a command that must fail with the text want, or end well without one.
func say(t *testing.T, w *world.World, want string, args ...string) string {
	t.Helper()
	out, err := w.Stickpress("", args...)
	if want == "" && err != nil {
		t.Fatal(err)
	}
	if want != "" && (err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want))) {
		t.Fatalf("stickpress %s: %v, want %q", strings.Join(args, " "), err, want)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

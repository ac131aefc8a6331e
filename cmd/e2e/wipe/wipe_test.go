// Package wipe holds the end-to-end test of a stick that comes back: pressed
// for one person, returned, wiped, certified, pressed for another. The real
// programs do it; foreign tools look at the stick.
package wipe

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

func TestMain(m *testing.M) { world.Main(m) }

const (
	mib = 1 << 20
	// stickBytes is what is sold as 32 GB.
	stickBytes = 30_752_636_928
	// letter is what the first holder leaves on the stick.
	letter = "Dear Grace, the password is swordfish."
)

// desk is a world with somebody's token.
type desk struct {
	*world.World
	token string
}

func TestWipe(t *testing.T) {
	d := &desk{World: world.New(t)}
	d.SetUp()
	token, err := d.Client.CreateToken(d.Context(), api.CreateTokenInput{Name: "desk", Role: api.RoleAdmin})
	if err != nil {
		t.Fatal(err)
	}
	d.token = token.Secret
	d.AddStick("stick-1", stickBytes)
	d.AddStick("stick-2", 64*mib) // too small to press, not to wipe
	d.Enrol(0, 0)
	d.Publish("", "1.0.0")

	d.Run("another holder", func(*testing.T) { d.anotherHolder() })
	d.Run("overwrite", func(*testing.T) { d.overwrite() })
	d.Run("killed", func(*testing.T) { d.killed() })
	if out, err := d.Stickpress(d.token, "replay", "--check", "--data", filepath.Join(d.Dir, "server")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// anotherHolder is the way of a stick from Ada to Bob.
func (d *desk) anotherHolder() {
	t := d.T
	job := d.done(d.press("Ada"))
	d.scribble("stick-1", 20<<30)
	stick, err := d.Client.ReturnStick(d.Context(), job.Builds[0].StickID)
	if err == nil {
		stick, err = d.Client.SettleStickData(d.Context(), stick.ID, wire.SettleStickData{Data: api.DataGivenUp, Signer: "Ada", Reason: "a test"})
	}
	if err != nil || stick.Life != "returned" || stick.Holder != "Ada" {
		t.Fatalf("%+v, %v", stick, err)
	}
	// The host tells by what lies on it which stick it is, where the hardware
	// could not.
	if found := d.device("stick-1.img", protocol.JobPress); found.FoundID != stick.ID || found.Holder != "Ada" {
		t.Errorf("the host finds %q of %q", found.FoundID, found.Holder)
	}
	_, err = d.Client.QueueJob(d.Context(), d.press("Bob"))
	if !client.IsCode(err, "stick_not_wiped") {
		t.Fatalf("a stick of Ada's for Bob: %v", err)
	}
	job = d.done(d.wipe("stick-1.img", nil))
	w := job.Builds[0].Result.Wipe
	if w.Method != protocol.WipeDiscard || w.Asked != protocol.WipeAuto || w.Bytes != stickBytes || job.Builds[0].Result.BytesVerified != stickBytes {
		t.Errorf("%+v of %+v", w, job.Builds[0].Result)
	}
	// A virtual stick forgets what is discarded, so that nothing is left.
	if out := d.tool("du", "--block-size=1", d.file("stick-1")); !strings.HasPrefix(out, "0\t") {
		t.Errorf("the stick still takes %s", out)
	}
	d.certified(job, "Discarded", "NIST SP 800-88 Rev. 1 (2014): it asks for more", "Pressed for +Ada")

	job = d.done(d.press("Bob"))
	if stick, err = d.Client.GetStick(d.Context(), job.Builds[0].StickID); err != nil || stick.Life != "issued" || stick.Holder != "Bob" {
		t.Errorf("%+v, %v", stick, err)
	}
}

// overwrite wipes a stick the long way.
func (d *desk) overwrite() {
	for at := int64(0); at < 64*mib; at += 4 * mib {
		d.scribble("stick-2", at+12_345)
	}
	job := d.done(d.wipe("stick-2.img", &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 2}))
	if r := job.Builds[0].Result; r.Wipe.Method != protocol.WipeOverwrite || r.BytesWritten < 2*64*mib {
		d.T.Errorf("%+v", r)
	}
	if out, err := exec.CommandContext(d.Context(), "grep", "--text", "--count", letter, d.file("stick-2")).Output(); err == nil {
		d.T.Errorf("grep finds what was there in %s lines", out)
	}
	// Random bytes in the middle, zeros at both ends.
	d.tool("cmp", "--bytes=1048576", d.file("stick-2"), "/dev/zero")
	d.tool("cmp", "--bytes=1048576", "--ignore-initial=66060288:0", d.file("stick-2"), "/dev/zero")
	if out := d.tool("sh", "-c", `gzip -c "$1" | wc -c`, "sh", d.file("stick-2")); len(strings.TrimSpace(out)) < 8 {
		d.T.Errorf("what was written compresses to %s bytes", out)
	}
	d.certified(job, "Overwritten twice", "Clear, as NIST SP 800-88 Rev. 1")
}

// killed: an agent that dies in the middle has wiped nothing, as far as anybody
// may say.
func (d *desk) killed() {
	stick, job := d.stoppedInWipe()
	d.Agent.Kill()
	d.StartAgent()
	job = d.ended(job.ID)
	b := job.Builds[0]
	if job.State != "failed" || b.Fault == nil || b.Fault.Code != protocol.FaultRestart || !b.Touched || b.CertificateID != "" {
		d.T.Errorf("job %s, build %+v", job.State, b)
	}
	s, err := d.Client.GetStick(d.Context(), b.StickID)
	if err != nil || s.State != "incomplete" {
		d.T.Errorf("%+v, %v", s, err)
	}
	if list, err := d.Client.StickCertificates(d.Context(), b.StickID); err != nil || len(list) != 0 {
		d.T.Errorf("%+v, %v", list, err)
	}
	d.certified(d.done(d.wipe(stick+".img", once)), "Overwritten once", "was overwritten once")
}

// once is a wipe that takes its time.
var once = &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1}

// stoppedInWipe wipes a stick and has the agent stand still in the middle. On a
// machine that stalls that may come too late: then it is begun anew with a
// larger stick, up to three times.
func (d *desk) stoppedInWipe() (stick string, job api.Job) {
	d.T.Helper()
	for n := range 4 {
		stick = fmt.Sprintf("wiped-%d", n+1)
		bytes := int64(768*mib) << n
		d.AddStick(stick, bytes)
		job, err := d.Client.QueueJob(d.Context(), d.wipe(stick+".img", once))
		if err != nil {
			d.T.Fatal(err)
		}
		d.stopWhen("the wipe is on its way", func() bool { return d.allocated(stick) > 12*mib })
		got := d.allocated(stick)
		if got <= bytes*3/4 {
			return stick, job
		}
		d.T.Logf("stopped too late: %d MiB are written", got/mib)
		if err := d.Agent.Signal(syscall.SIGCONT); err != nil {
			d.T.Fatal(err)
		}
		if job = d.ended(job.ID); job.State != "succeeded" {
			d.T.Fatalf("a wipe that was only stopped for a while is %s: %+v", job.State, job.Builds[0].Fault)
		}
	}
	d.T.Fatal("stopped too late each time")
	return "", api.Job{}
}

// certified checks a job's certificate as a stranger would: from a file, with
// the fingerprint of the console's key.
func (d *desk) certified(job api.Job, says ...string) {
	t := d.T
	t.Helper()
	id := job.Builds[0].CertificateID
	file := filepath.Join(t.TempDir(), id+".json")
	raw, err := d.Stickpress(d.token, "certificate", "get", id)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := d.Stickpress(d.token, "certificate", "key")
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.Stickpress("", "certificate", "verify", file, "--key", strings.TrimSpace(key))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(out), " ")
	for _, s := range append(says, id, "On the host "+world.Host, "Asked for by tests, Ada (ada)", "not Purge", "virtual stick") {
		if !strings.Contains(words, strings.ReplaceAll(s, " +", " ")) {
			t.Errorf("the certificate does not say %q:\n%s", s, out)
		}
	}
	forged := bytes.Replace([]byte(raw), []byte(`"payload": "e`), []byte(`"payload": "f`), 1)
	if err := os.WriteFile(file, forged, 0o600); err != nil || string(forged) == raw {
		t.Fatal("nothing was forged", err)
	}
	if out, err := d.Stickpress("", "certificate", "verify", file, "--key", strings.TrimSpace(key)); err == nil {
		t.Errorf("a forgery is taken:\n%s", out)
	}
}

// device waits until a stick is free, for a kind of job.
func (d *desk) device(port string, kind protocol.JobKind) api.Device {
	d.T.Helper()
	var found api.Device
	d.Until(port+" is free", func() (bool, error) {
		host, err := d.Client.GetHost(d.Context(), world.Host)
		if err != nil {
			return false, err
		}
		for _, x := range host.Devices {
			if x.Port == port && x.JobID == "" && !x.Busy && x.Refusal(kind) == nil {
				found = x
				return host.Online, nil
			}
		}
		return false, nil
	})
	return found
}

func (d *desk) press(holder string) api.QueueJobInput {
	d.T.Helper()
	return api.QueueJobInput{
		Image: "win-sample", Host: world.Host, Holder: holder,
		Devices: []api.QueueDevice{{Identity: d.device("stick-1.img", protocol.JobPress).Identity}},
	}
}

func (d *desk) wipe(port string, o *protocol.WipeOptions) api.QueueJobInput {
	d.T.Helper()
	return api.QueueJobInput{
		Kind: protocol.JobWipe, Host: world.Host, Options: protocol.JobOptions{Wipe: o},
		Devices: []api.QueueDevice{{Identity: d.device(port, protocol.JobWipe).Identity}},
	}
}

// done queues a job that must succeed.
func (d *desk) done(in api.QueueJobInput) api.Job {
	d.T.Helper()
	job, err := d.Client.QueueJob(d.Context(), in)
	if err != nil {
		d.T.Fatal(err)
	}
	job = d.ended(job.ID)
	if job.State != "succeeded" {
		d.T.Fatalf("%s job is %s: %+v", job.Kind, job.State, job.Builds[0].Fault)
	}
	return job
}

func (d *desk) ended(id string) api.Job {
	d.T.Helper()
	var job api.Job
	d.Until("the job has ended", func() (done bool, err error) {
		job, err = d.Client.GetJob(d.Context(), id)
		return job.Ended(), err
	})
	return job
}

// stopWhen has the agent stand still at a moment.
func (d *desk) stopWhen(what string, now func() bool) {
	d.T.Helper()
	agent := d.Agent
	d.T.Cleanup(func() { _ = agent.Signal(syscall.SIGCONT) }) // it may have ended
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(world.Patience)
	for !now() {
		select {
		case <-tick.C:
		case <-late:
			d.T.Fatalf("%s: not within %s\n%s", what, world.Patience, agent.Output())
		}
	}
	if err := agent.Signal(syscall.SIGSTOP); err != nil {
		d.T.Fatal(err)
	}
	d.Until("the agent stands still", agent.Stopped)
}

func (d *desk) file(stick string) string { return filepath.Join(d.Sticks(), stick+".img") }

// allocated is how much of a stick's file is no hole.
func (d *desk) allocated(stick string) int64 {
	var st syscall.Stat_t
	if err := syscall.Stat(d.file(stick), &st); err != nil {
		d.T.Fatal(err)
	}
	return st.Blocks * 512
}

// scribble leaves a letter on a stick.
func (d *desk) scribble(stick string, at int64) {
	d.T.Helper()
	f, err := os.OpenFile(d.file(stick), os.O_WRONLY, 0)
	if err != nil {
		d.T.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(letter), at); err != nil {
		d.T.Fatal(err)
	}
}

func (d *desk) tool(name string, args ...string) string {
	d.T.Helper()
	out, err := exec.CommandContext(d.Context(), name, args...).CombinedOutput()
	if err != nil {
		d.T.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Package verify holds the end-to-end test of sticks that are read again: by
// jobs of the console and by the agent's own command, with the record of this
// host, the console's, and one in a file.
package verify

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
	// windowsAt is where the Windows volume of mbr-dual begins.
	windowsAt = 351 * mib
)

// desk is a world with two pressed sticks.
type desk struct {
	*world.World
	sticks [2]string // IDs
}

func TestVerify(t *testing.T) {
	d := &desk{World: world.New(t)}
	d.SetUp()
	d.AddStick("stick-1", stickBytes)
	d.AddStick("stick-2", stickBytes)
	d.Enrol(0, 0)
	d.Publish("", "1.0.0")
	job := d.run(api.QueueJobInput{Image: "win-sample"}, "stick-1", "stick-2")
	for i := range d.sticks {
		if job.State != "succeeded" {
			t.Fatalf("the press is %s: %+v", job.State, job.Builds[i].Fault)
		}
		d.sticks[i] = job.Builds[i].StickID
	}
	d.Run("intact", func(*testing.T) { d.intact() })
	d.Run("a file with the record", func(*testing.T) { d.recordInAFile() })
	d.Run("another port", func(*testing.T) { d.anotherPort() })
	d.Run("used", func(*testing.T) { d.used() })
	d.Run("changed", func(*testing.T) { d.changed() })
	if out, err := d.Stickpress("", "replay", "--check", "--data", filepath.Join(d.Dir, "server")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// intact: both sticks are as they were pressed, and are not written to; by the
// host's own records, and by the console's once those are gone.
func (d *desk) intact() {
	before := [2]syscall.Timespec{d.written("stick-1"), d.written("stick-2")}
	for _, whose := range []string{"the host's records", "the console's records"} {
		job := d.run(api.QueueJobInput{Kind: protocol.JobVerify}, "stick-1", "stick-2")
		for i, b := range job.Builds {
			if b.Result == nil || b.Result.Check == nil {
				d.T.Fatalf("%s: job %s, %+v", whose, job.State, b.Fault)
			}
			if c := b.Result.Check; c.Outcome != protocol.OutcomeIntact || c.StickID != d.sticks[i] || b.Touched || b.Result.BytesVerified < 20*mib {
				d.T.Errorf("%s: %+v of %+v", whose, c, b)
			}
			if s := d.stick(i); s.Check == nil || s.Check.Outcome != protocol.OutcomeIntact || s.State != "verified" {
				d.T.Errorf("%s: stick %+v", whose, s)
			}
		}
		if err := os.RemoveAll(filepath.Join(d.AgentData(), "records")); err != nil {
			d.T.Fatal(err)
		}
	}
	if after := [2]syscall.Timespec{d.written("stick-1"), d.written("stick-2")}; after != before {
		d.T.Errorf("the sticks were written at %v, before that at %v", after, before)
	}
}

// recordInAFile: without a record the agent's command says so; with the
// console's in a file it needs nothing else.
func (d *desk) recordInAFile() {
	if out, err := d.verify("stick-1"); err == nil || !strings.Contains(err.Error(), "nothing was recorded") || !strings.Contains(err.Error(), "exit status 1") {
		d.T.Errorf("%s, %v", out, err)
	}
	f, err := d.Client.StickRecord(d.Context(), d.sticks[0])
	if err != nil {
		d.T.Fatal(err)
	}
	raw, err := json.Marshal(f)
	if err != nil {
		d.T.Fatal(err)
	}
	file := filepath.Join(d.T.TempDir(), "record.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		d.T.Fatal(err)
	}
	if out, err := d.verify("stick-1", "--record", file); err != nil || out != "intact\n" {
		d.T.Errorf("%q, %v", out, err)
	}
	if out, err := d.verify("stick-2", "--record", file); err == nil || !strings.Contains(err.Error(), "another stick") || !strings.Contains(err.Error(), "exit status 4") {
		d.T.Errorf("%q, %v", out, err)
	}
}

// anotherPort: a stick is known by what lies on it.
func (d *desk) anotherPort() {
	swap := func() {
		before := d.device("stick-1", protocol.JobVerify).Connection
		for _, names := range [][2]string{{"stick-1", "x"}, {"stick-2", "stick-1"}, {"x", "stick-2"}} {
			if err := os.Rename(d.file(names[0]), d.file(names[1])); err != nil {
				d.T.Fatal(err)
			}
		}
		d.Until("the host has seen it", func() (bool, error) {
			return d.device("stick-1", protocol.JobVerify).Connection != before, nil
		})
	}
	swap()
	job := d.run(api.QueueJobInput{Kind: protocol.JobVerify}, "stick-1")
	if b := job.Builds[0]; b.Result == nil || b.Result.Check == nil || b.Result.Check.StickID != d.sticks[1] || b.StickID != d.sticks[1] {
		d.T.Errorf("job %s, build %+v, fault %+v", job.State, b, b.Fault)
	}
	swap()
}

// used: BitLocker has taken the Windows volume over, which only a Windows does
// that has started.
func (d *desk) used() {
	d.write("stick-2", "-FVE-FS-", windowsAt+3)
	job := d.run(api.QueueJobInput{Kind: protocol.JobVerify}, "stick-2")
	b := job.Builds[0]
	if job.State != "succeeded" || b.Result.Check.Outcome != protocol.OutcomeUsed || b.Result.Check.Evidence[0] != protocol.EvidenceEncrypted {
		d.T.Errorf("job %s, build %+v, fault %+v", job.State, b, b.Fault)
	}
	if s := d.stick(1); s.Check == nil || s.Check.Outcome != protocol.OutcomeUsed {
		d.T.Errorf("stick %+v", s)
	}
}

// changed: one byte of the boot volume is another one.
func (d *desk) changed() {
	d.write("stick-1", "x", mib+200) // in the boot code
	job := d.run(api.QueueJobInput{Kind: protocol.JobVerify}, "stick-1")
	b := job.Builds[0]
	if job.State != "failed" || b.Fault.Code != protocol.FaultVerify || b.Fault.Touched || b.Fault.Params["offset"] != "1048576" ||
		b.Fault.Params["want"] == b.Fault.Params["have"] || len(b.Fault.Params["have"]) != 32 {
		d.T.Errorf("job %s, fault %+v", job.State, b.Fault)
	}
	if s := d.stick(0); s.CheckFault == nil || s.CheckFault.Code != protocol.FaultVerify || s.State != "verified" {
		d.T.Errorf("stick %+v", s)
	}
}

func (d *desk) stick(i int) api.Stick {
	d.T.Helper()
	s, err := d.Client.GetStick(d.Context(), d.sticks[i])
	if err != nil {
		d.T.Fatal(err)
	}
	return s
}

// run queues a job for sticks and waits for its end.
func (d *desk) run(in api.QueueJobInput, names ...string) api.Job {
	d.T.Helper()
	in.Host = world.Host
	for _, name := range names {
		in.Devices = append(in.Devices, api.QueueDevice{Identity: d.device(name, in.Kind)})
	}
	job, err := d.Client.QueueJob(d.Context(), in)
	if err != nil {
		d.T.Fatal(err)
	}
	d.Until("the job has ended", func() (done bool, err error) {
		job, err = d.Client.GetJob(d.Context(), job.ID)
		return job.Ended(), err
	})
	return job
}

// device waits until a stick may be had for a kind of job.
func (d *desk) device(name string, kind protocol.JobKind) protocol.Identity {
	d.T.Helper()
	var found protocol.Identity
	d.Until(name+" is free", func() (bool, error) {
		host, err := d.Client.GetHost(d.Context(), world.Host)
		if err != nil || !host.Online {
			return false, err
		}
		for _, x := range host.Devices {
			if x.Port == name+".img" && x.JobID == "" && !x.Busy && x.Refusal(kind) == nil {
				found = x.Identity
				return true, nil
			}
		}
		return false, nil
	})
	return found
}

// verify runs the agent's command on a virtual stick.
func (d *desk) verify(stick string, args ...string) (string, error) {
	d.T.Helper()
	return d.AgentCommand(append([]string{"verify", stick, "--data", d.AgentData(), "--virtual", d.Sticks()}, args...)...)
}

func (d *desk) file(stick string) string { return filepath.Join(d.Sticks(), stick+".img") }

func (d *desk) written(stick string) syscall.Timespec {
	d.T.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(d.file(stick), &st); err != nil {
		d.T.Fatal(err)
	}
	return st.Mtim
}

// write puts text onto a stick.
func (d *desk) write(stick, text string, at int64) {
	d.T.Helper()
	f, err := os.OpenFile(d.file(stick), os.O_WRONLY, 0)
	if err != nil {
		d.T.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(io.NewOffsetWriter(f, at), strings.NewReader(text)); err != nil {
		d.T.Fatal(err)
	}
}

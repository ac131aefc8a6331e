// Package kill holds the end-to-end suites of what goes right and what goes
// wrong: the real programs on a real private Postgres, driven through the REST
// client, with sticks that foreign tools look at.
//
// A moment in the middle of a write is made, not hit: the agent is stopped
// (SIGSTOP) as soon as its sticks hold some of the content. What a test does
// then, such as killing it or the server, falls into that moment however fast
// the machine is. A machine that stalls may be too late for it all the same:
// then the job is let go to its end, and another one is begun. See bench.meet.
package kill

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

func TestMain(m *testing.M) { world.Main(m) }

const mib = 1 << 20

// stickBytes is the size of a stick sold as "64 GB".
const stickBytes = 64_000_000_000

// big is a sample that takes a while to write, to stop in the middle of.
var big = sample.Options{SmallFiles: 200, BigFiles: 4, BigBytes: 64 * mib}

// bench is a world with an enrolled agent and a published image.
type bench struct {
	*world.World
	version api.Version
	made    int // sticks
}

func newBench(t *testing.T, o sample.Options) *bench {
	t.Helper()
	b := &bench{World: world.New(t)}
	b.SetUp()
	// For a moment to be met it is asked for a thousand times a second.
	if _, err := b.Client.SaveSetting(t.Context(), api.SaveSettingInput{Name: api.SettingTokenRate, Value: "1000000", Revision: api.Absent}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(b.Sticks(), 0o700); err != nil {
		t.Fatal(err)
	}
	b.Enrol(0, 0)
	b.version = b.Publish(b.SampleOf(o), "1.0.0")
	return b
}

// sticks makes new virtual sticks and waits until they may be written.
func (b *bench) sticks(n int) []api.Device {
	b.T.Helper()
	var ports []string
	for range n {
		b.made++
		name := fmt.Sprintf("stick-%d", b.made)
		b.AddStick(name, stickBytes)
		ports = append(ports, name+".img")
	}
	return b.see(ports...)
}

// see waits until the host is online with free sticks at the ports.
func (b *bench) see(ports ...string) []api.Device {
	b.T.Helper()
	return b.seeThat("ready", func(d *api.Device) bool { return d.Writable && d.JobID == "" }, ports...)
}

// seeThat waits until the host is online and what it has at the ports is as
// wanted.
func (b *bench) seeThat(what string, ok func(*api.Device) bool, ports ...string) []api.Device {
	b.T.Helper()
	found := make([]api.Device, len(ports))
	b.Until(fmt.Sprintf("%v are %s", ports, what), func() (bool, error) {
		host, err := b.Client.GetHost(b.Context(), world.Host)
		if err != nil || !host.Online {
			return false, errors.Join(passing(err), b.Agent.Ended())
		}
		for i, port := range ports {
			n := slices.IndexFunc(host.Devices, func(d api.Device) bool { return d.Port == port })
			if n < 0 || !ok(&host.Devices[n]) {
				return false, nil
			}
			found[i] = host.Devices[n]
		}
		return true, nil
	})
	return found
}

// passing keeps an error that waiting does not cure: the server said no.
func passing(err error) error {
	var p *client.Problem
	if errors.As(err, &p) && p.Status < 500 {
		return err
	}
	return nil
}

// request asks for the bench's image on the devices.
func (b *bench) request(devices []api.Device) api.QueueJobInput {
	in := api.QueueJobInput{Version: b.version.ID, Host: world.Host}
	for _, d := range devices {
		in.Devices = append(in.Devices, api.QueueDevice{Identity: d.Identity})
	}
	return in
}

// queue queues a job for the devices.
func (b *bench) queue(devices []api.Device) api.Job { return b.queueAs(b.request(devices)) }

func (b *bench) queueAs(in api.QueueJobInput) api.Job {
	b.T.Helper()
	job, err := b.Client.QueueJob(b.Context(), in)
	if err != nil {
		b.T.Fatalf("queue: %v", err)
	}
	return job
}

// ended waits for a job's end, across restarts of the server, and checks that
// its history is whole.
func (b *bench) ended(id string) api.Job {
	b.T.Helper()
	var job api.Job
	b.Until("job "+id+" ends", func() (bool, error) {
		j, err := b.Client.GetJob(b.Context(), id)
		job = j
		return err == nil && j.Ended(), passing(err)
	})
	b.checkEvents(job)
	return job
}

// refused checks that a request was refused with a code, and returns its
// parameters.
func (b *bench) refused(err error, status int, code string) map[string]string {
	b.T.Helper()
	var p *client.Problem
	if !errors.As(err, &p) {
		b.T.Fatalf("got %v, want the problem %s", err, code)
	}
	if p.Code != code || p.Status != status || p.Detail == "" || p.Detail == p.Code {
		b.T.Fatalf("got %d %s (%q), want %d %s with a sentence", p.Status, p.Code, p.Detail, status, code)
	}
	return p.Params
}

// file is where a device's virtual stick lies.
func (b *bench) file(d api.Device) string { return filepath.Join(b.Sticks(), d.Port) }

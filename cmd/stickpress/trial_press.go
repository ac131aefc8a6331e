package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// seeTime bounds how long the agent may take to connect and show its sticks.
const seeTime = 60 * time.Second

// press queues a job for the trial's sticks and follows it to its end.
func (t *trial) press(ctx context.Context, agent *agentProcess, v api.Version) (api.Job, error) {
	devices, err := t.seeSticks(ctx, agent)
	if err != nil {
		return api.Job{}, err
	}
	in := api.QueueJobInput{
		Version: v.ID, Host: agent.host, Layout: t.layout, Edition: t.edition, ExternalRef: api.Ticket("TRIAL"),
	}
	for _, d := range devices {
		in.Devices = append(in.Devices, api.QueueDevice{Identity: d.Identity})
	}
	job, err := t.client.QueueJob(ctx, in)
	if err != nil {
		return job, err
	}
	t.say("queued %s for %s; watch it on %s/jobs/%s", job.ID, counted(len(job.Builds), "stick"), t.server.url, job.ID)
	return t.watch(ctx, job)
}

// seeSticks waits until the console shows every stick of the trial as ready.
func (t *trial) seeSticks(ctx context.Context, agent *agentProcess) ([]api.Device, error) {
	ctx, cancel := context.WithTimeout(ctx, seeTime)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var refusals []string
	for {
		host, err := t.client.GetHost(ctx, agent.host)
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		var found []api.Device
		refusals = refusals[:0]
		for _, d := range host.Devices {
			if d.Kind != protocol.KindVirtual {
				continue
			}
			for _, r := range d.Refusals {
				refusals = append(refusals, d.Port+": "+locale.English.Fault(r.Code, r.Params))
			}
			if d.Writable && d.JobID == "" {
				found = append(found, d)
			}
		}
		if host.Online && len(found) >= t.sticks {
			slices.SortFunc(found, func(a, b api.Device) int { return strings.Compare(a.Serial, b.Serial) })
			return found[:t.sticks], nil
		}
		select {
		case <-tick.C:
		case <-agent.done:
			return nil, fmt.Errorf("the agent ended: see %s", agent.log)
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the agent did not show %d free virtual sticks within %s: see %s", t.sticks, seeTime, agent.log), errors.New(strings.Join(refusals, "; ")))
		}
	}
}

// watch draws a bar for every stick until the job has ended.
func (t *trial) watch(ctx context.Context, job api.Job) (api.Job, error) {
	b := newBars(t.out)
	lines := map[string]*bar{}
	for _, x := range job.Builds {
		lines[x.ID] = b.add(x.Identity.Serial)
	}
	for u, err := range t.client.WatchJob(ctx, job.ID, 0) {
		if err != nil {
			for _, line := range lines {
				line.end("lost sight of it")
			}
			b.wait()
			return job, err
		}
		job = u.Job
		for _, x := range job.Builds {
			draw(lines[x.ID], x)
		}
	}
	for _, line := range lines {
		line.end("")
	}
	b.wait()
	return job, nil
}

func draw(line *bar, b api.Build) {
	switch {
	case b.State == "verified":
		line.set(1, 1, b.State) // full, be it that no progress was heard of
		line.end(b.State)
	case b.Fault != nil:
		line.end(b.State + ": " + locale.English.Fault(b.Fault.Code, b.Fault.Params))
	case b.Progress != nil:
		p := b.Progress
		note := fmt.Sprintf("%-8s %s", p.Step, locale.Bytes(p.Done))
		if p.Total > 0 {
			note += " / " + locale.Bytes(p.Total)
		}
		if p.Rate > 0 {
			note += " · " + locale.Rate(p.Rate)
		}
		line.set(p.Done, p.Total, note)
		line.say(string(p.Step))
	default:
		line.set(0, 0, b.State)
		line.say(b.State)
	}
}

// table says what became of each stick, and where it is.
func (t *trial) table(job api.Job) {
	fmt.Fprintln(t.out)
	tw := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "STICK\tVERSION\tLAYOUT\tWRITTEN\tWRITE S\tMB/S\tREAD S\tVERIFIED\tFILE")
	for _, b := range job.Builds {
		written, write, rate, read, verified := "-", "-", "-", "-", "no"
		if r := b.Result; r != nil && b.State == "verified" {
			written = locale.Bytes(r.BytesWritten)
			// Not their sum: what was flushed is read while the rest is written.
			write, read = fmt.Sprintf("%.1f", float64(r.WriteMS)/1000), fmt.Sprintf("%.1f", float64(r.VerifyMS)/1000)
			rate = fmt.Sprintf("%.0f", float64(r.BytesWritten)/1e3/float64(max(r.WriteMS, 1)))
			verified = "yes"
		}
		fmt.Fprintf(tw, "%s\t%s %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", b.Identity.Serial, job.ImageName, job.Version, job.Layout,
			written, write, rate, read, verified, t.stickFile(b))
	}
	_ = tw.Flush() // the terminal is gone if this fails
	for _, b := range job.Builds {
		if b.Fault != nil {
			fmt.Fprintf(t.out, "%s: %s\n", b.Identity.Serial, locale.English.Fault(b.Fault.Code, b.Fault.Params))
		}
	}
}

// stickFile is the file of a virtual stick, whose port is the file's name.
func (t *trial) stickFile(b api.Build) string {
	path := filepath.Join(t.data, "sticks", b.Identity.Port)
	if _, err := os.Stat(path); err != nil {
		path += ".img"
	}
	return path
}

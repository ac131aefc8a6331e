package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/unattend"
	"github.com/stickpress/stickpress/store"
)

// plan is a request with everything looked up and checked.
type plan struct {
	job     store.NewJob
	version store.Version
	image   string
	names   *names // of what was looked up; valid in the transaction
	// template is what the answer files are made of; nil where there are none.
	template *unattend.Template
}

// planner asks for what a kind of job names besides its host and its sticks. What
// it returns puts the answers into the plan, and says what the kind demands of
// each stick.
type planner func(q *store.Questions, in *QueueJobInput, p *plan) decision

type decision func(ctx context.Context, r store.Reader) (fits func(*protocol.Device) error, err error)

// planners are the kinds of jobs that can be queued.
var planners = map[protocol.JobKind]planner{
	protocol.JobPress:   planPress,
	protocol.JobRaw:     planRaw,
	protocol.JobVerify:  planVerify,
	protocol.JobWipe:    planWipe,
	protocol.JobCapture: planCapture,
}

func (p *plan) ports() []string {
	var out []string
	for i := range p.job.Builds {
		out = append(out, p.job.Builds[i].Device.Port)
	}
	return out
}

// pass lets a fault pass that an admin allowed to.
func (p *plan) pass(err error) error {
	if err != nil && slices.Contains(p.job.Overrides, string(fault.From(err).Code)) {
		return nil
	}
	return err
}

// ErrKind refuses a kind of jobs that there is none of.
func ErrKind(kind protocol.JobKind) *fault.Error {
	return fault.New(fault.KindInvalid, CodeKindUnknown, "kind", kind, "kinds", oneOf(protocol.JobKinds)).At("kind")
}

// plan looks up what the request names and checks that it can be done, all of it.
func (c *Console) plan(ctx context.Context, tx *store.Tx, a Actor, in *QueueJobInput) (*plan, error) {
	kind := in.Kind.OrPress()
	look, ok := planners[kind]
	if !ok {
		return nil, ErrKind(in.Kind)
	}
	wrong := []error{checkNotBefore(in.NotBefore, tx.At())}
	p := &plan{names: &names{r: tx.Reader}, job: store.NewJob{
		Kind: kind, Options: protocol.JobOptions{EraseFirst: in.Options.EraseFirst}, Overrides: in.Overrides,
		Holder: strings.TrimSpace(in.Holder), Variables: in.Variables,
		NotBefore: in.NotBefore,
	}}
	p.job.ReferenceSystem, p.job.Reference = in.ExternalRef.split()
	q := tx.Questions()
	decide, where := look(q, in, p), q.Workplace(in.Host, in.ports())
	if err := q.Ask(ctx); err != nil {
		return nil, err
	}
	// The planner adds what is its kind's own; options of other kinds mean nothing.
	fits, err := decide(ctx, tx.Reader)
	if err != nil {
		wrong, fits = append(wrong, blamed(err)), func(*protocol.Device) error { return nil }
	}
	place, err := where()
	host := place.Host
	if err == nil {
		err = a.reachesHost(&host, in.Host)
	}
	if err == nil {
		err = checkHost(&host, &p.job)
	}
	if err != nil {
		return nil, fault.All(append(wrong, fault.From(err).At("host"))...)
	}
	p.job.HostID = host.ID
	p.names.tell(host.ID.String(), host.Name)
	labels := labelsOf(place.Ports)
	for i, d := range in.Devices {
		device, err := checkDevice(&host, kind, &d.Identity, place.Busy)
		if err == nil {
			err = fits(device)
		}
		if err != nil {
			wrong, device = append(wrong, fault.From(err).At(deviceField(i))), &protocol.Device{}
		}
		build := store.NewBuild{Device: *device, Label: labels[device.Socket], Holder: strings.TrimSpace(d.Holder), Variables: d.Variables}
		build.ReferenceSystem, build.Reference = d.ExternalRef.split()
		p.job.Builds = append(p.job.Builds, build)
	}
	return p, fault.All(append(wrong, p.nameComputers())...)
}

// blamed is err at the input that names what is not there.
func blamed(err error) error {
	for kind, field := range map[string]string{"image": "image", "image_version": "version", "channel": "channel", "task_sequence": "task_sequence"} {
		if f := fault.From(err); f.Field == "" && isNotFound(err, kind) {
			return f.At(field)
		}
	}
	return err
}

// checkHost refuses a host that could never do the job. One that is merely
// offline does it when it is back.
func checkHost(h *store.Host, n *store.NewJob) error {
	lacks := !slices.Contains(h.Capabilities, n.Kind.Capability()) ||
		n.Options.EraseFirst && !slices.Contains(h.Capabilities, protocol.CapWipe)
	switch {
	case h.State != store.HostEnrolled:
		return fault.New(fault.KindConflict, CodeHostRevoked, "host", h.Name).At("host")
	case outdated(h), len(h.Capabilities) > 0 && lacks:
		return fault.New(fault.KindConflict, CodeHostOutdated, "host", h.Name).At("host")
	}
	return nil
}

// checkDevice finds the device that was confirmed in the host's newest
// inventory. Whatever has changed since refuses it.
func checkDevice(h *store.Host, kind protocol.JobKind, want *protocol.Identity, busy map[store.Place]store.JobID) (*protocol.Device, error) {
	d, ok := h.Device(want.Port, want.LUN)
	if want.Kind == protocol.KindFile && kind == protocol.JobCapture {
		d, ok = h.File(want.Port)
	}
	if !ok {
		return nil, fault.New(fault.KindConflict, CodeDeviceGone, "port", want.Port)
	}
	if what, w, have := difference(want, &d.Identity); what != "" {
		return nil, fault.New(fault.KindConflict, CodeDeviceChanged, "port", want.Port, "path", d.Path, "what", what, "want", w, "have", have)
	}
	if job, ok := busy[store.Place{Port: want.Port, LUN: want.LUN}]; ok {
		return nil, fault.New(fault.KindConflict, store.CodeStickBusy, "port", want.Port, "job", job)
	}
	if r := d.Refusal(kind); r != nil {
		f := fault.New(fault.KindConflict, fault.Code(r.Code), "port", want.Port)
		for k, v := range r.Params {
			f.Params[k] = v
		}
		return nil, f
	}
	if d.Busy {
		return nil, fault.New(fault.KindConflict, store.CodeStickBusy, "port", want.Port)
	}
	return &d, nil
}

// difference names the first part of an identity that is not as it was.
func difference(want, have *protocol.Identity) (what, w, h string) {
	for _, part := range []struct {
		what       string
		want, have any
	}{
		{"kind", want.Kind, have.Kind},
		{"serial", want.Serial, have.Serial},
		{"vid_pid", want.VIDPID, have.VIDPID},
		{"bytes", want.Bytes, have.Bytes},
		{"connection", want.Connection, have.Connection},
	} {
		if part.want != part.have {
			return part.what, fmt.Sprint(part.want), fmt.Sprint(part.have)
		}
	}
	if *want != *have {
		return "identity", fmt.Sprint(*want), fmt.Sprint(*have)
	}
	return "", "", ""
}

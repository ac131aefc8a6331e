package api

import (
	"context"
	"errors"
	"maps"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/unattend"
	"github.com/stickpress/stickpress/store"
)

// HostResumed answers what a host says it holds after connecting: how far its
// events are stored, what it must stop, the assignments that never arrived, and
// the records that are still missing.
func (c *Console) HostResumed(ctx context.Context, s HostSession, m *protocol.Resume) (HostWork, error) {
	held := make([]protocol.AttemptRef, 0, len(m.Attempts))
	for i := range m.Attempts {
		held = append(held, m.Attempts[i].AttemptRef)
	}
	var w HostWork
	err := c.store.InTx(ctx, func(tx *store.Tx) error {
		w = HostWork{}
		if err := tx.CancelUnheld(ctx, s.id, s.Session, held); err != nil {
			return err
		}
		if err := endForgotten(ctx, tx, s, held); err != nil {
			return err
		}
		known, err := tx.Attempts(ctx, []store.HostID{s.id}, held)
		if err != nil {
			return err
		}
		fenced := protocol.Cancel{Fenced: true}
		for _, a := range m.Attempts {
			k, ok := known[a.AttemptRef]
			ack := protocol.Ack{AttemptRef: a.AttemptRef, HostSeq: k.HostSeq}
			if !ok {
				ack.HostSeq = a.HostSeq // never this host's: it need not tell
			}
			w.Acks = append(w.Acks, ack)
			if (!ok || k.State != store.AttemptLeased) && !a.Ended {
				fenced.Attempts = append(fenced.Attempts, a.AttemptRef)
			}
		}
		if len(fenced.Attempts) > 0 {
			w.Cancels = append(w.Cancels, fenced)
		}
		if err := addCancels(ctx, tx.Reader, s, &w); err != nil {
			return err
		}
		work, err := tx.Unfinished(ctx, s.id)
		if err != nil {
			return err
		}
		if w.Assigns, err = c.assignments(ctx, tx, s, without(work, held), false); err != nil {
			return err
		}
		missing, err := tx.MissingRecords(ctx, s.id)
		w.want(missing)
		return err
	})
	return w, c.judge(ctx, s, err)
}

// HostWork notes that the host is there and returns the attempts that it must
// stop, and the stick that is to flash.
func (c *Console) HostWork(ctx context.Context, s HostSession) (HostWork, error) {
	if err := c.HostAlive(ctx, s); err != nil {
		return HostWork{}, err
	}
	var w HostWork
	err := addCancels(ctx, c.store.Reader, s, &w)
	if err == nil {
		w.Lights, err = c.store.TakeIdentify(ctx, s.id, s.Session)
	}
	return w, err
}

// HostClaim gives the host its queued builds: it holds their leases from now
// on. After an error nobody knows whether it does; then the connection must
// end, because only a Resume puts that right.
func (c *Console) HostClaim(ctx context.Context, s HostSession) (HostWork, error) {
	if len(s.Kinds) == 0 {
		return HostWork{}, nil
	}
	if queued, err := c.store.HasQueued(ctx, s.id); err != nil || !queued {
		return HostWork{}, err
	}
	var w HostWork
	err := c.store.InTx(ctx, func(tx *store.Tx) error {
		work, err := tx.ClaimBuilds(ctx, s.id, s.Session, s.Kinds, maxBuilds)
		if err != nil {
			return err
		}
		w.Assigns, err = c.assignments(ctx, tx, s, work, true)
		return err
	})
	return w, c.judge(ctx, s, err)
}

func addCancels(ctx context.Context, r store.Reader, s HostSession, w *HostWork) error {
	stop, err := r.ToCancel(ctx, s.id)
	if err == nil && len(stop) > 0 {
		w.Cancels = append(w.Cancels, protocol.Cancel{Attempts: stop})
	}
	return err
}

// CodeAttemptForgotten ends an attempt of which the host reported something
// once and knows nothing now: its disk was replaced, say. Nobody can tell what
// the stick carries, and it must not be written again by itself.
const CodeAttemptForgotten = "attempt_forgotten"

// endForgotten fails what the host began and does not hold any more, in the
// host's place: with the next event of its numbers.
func endForgotten(ctx context.Context, tx *store.Tx, s HostSession, held []protocol.AttemptRef) error {
	work, err := tx.Unfinished(ctx, s.id)
	if err != nil {
		return err
	}
	var refs []protocol.AttemptRef
	writes := map[protocol.AttemptRef]bool{}
	for _, w := range without(work, held) {
		for i := range w.Builds {
			ref := w.Builds[i].Ref()
			refs, writes[ref] = append(refs, ref), w.Job.Kind.Writes()
		}
	}
	known, err := tx.Attempts(ctx, []store.HostID{s.id}, refs)
	if err != nil {
		return err
	}
	var events []protocol.Event
	for _, ref := range refs {
		if a, ok := known[ref]; ok && a.HostSeq > 0 {
			f := protocol.NewFault(CodeAttemptForgotten)
			f.Touched = writes[ref]
			events = append(events, protocol.Event{AttemptRef: ref, HostSeq: a.HostSeq + 1, Type: protocol.EventFailed, At: tx.At(), Fault: f})
		}
	}
	if len(events) == 0 {
		return nil
	}
	_, err = tx.ApplyHostEvents(ctx, s.id, s.Session, events)
	return err
}

// without leaves out the builds whose attempts the host holds.
func without(work []store.Work, held []protocol.AttemptRef) []store.Work {
	has := make(map[protocol.AttemptRef]bool, len(held))
	for _, ref := range held {
		has[ref] = true
	}
	var out []store.Work
	for _, w := range work {
		missing := store.Work{Job: w.Job}
		for _, b := range w.Builds {
			if !has[b.Ref()] {
				missing.Builds = append(missing.Builds, b)
			}
		}
		if len(missing.Builds) > 0 {
			out = append(out, missing)
		}
	}
	return out
}

// maxAnswers bounds the answer files of one message, in bytes: JSON may double
// them, and the message has its own limit.
const maxAnswers = protocol.MaxMessage / 4

// assignments makes the messages for work: what the kind needs, rendered answer
// files, a ticket for the image. Builds whose answer file cannot be made any more (its
// seal is broken, say, or a newer version of this program is stricter) fail
// here: nothing would ever move them on, and the host's other work must not
// wait for them. So do builds that the agent would not understand: an older one
// was put in place since it was given them, say, and might press instead. And so do
// claimed ones, which nobody has begun, of a version that was withdrawn while they
// waited for their time or their host; what was sent before may be under way.
func (c *Console) assignments(ctx context.Context, tx *store.Tx, s HostSession, work []store.Work, claimed bool) ([]protocol.Assign, error) {
	var out []protocol.Assign
	n := &names{r: tx.Reader}
	broken := map[protocol.AttemptRef]*protocol.Fault{}
	for i := range work {
		w := &work[i]
		why, err := c.unsendable(ctx, n, s, &w.Job, claimed)
		if err != nil {
			return nil, err
		}
		if why != nil {
			for _, b := range w.Builds {
				broken[b.Ref()] = why
			}
			continue
		}
		a, err := c.assignment(ctx, n, s, &w.Job)
		if err != nil {
			return nil, err
		}
		template, failed := n.template(ctx, &w.Job)
		bytes := 0
		for _, b := range w.Builds {
			answer, err := "", failed
			if err == nil {
				answer, err = render(template, variables(&w.Job, &b, a.Image.Name, a.Image.Version))
			}
			if why := unanswerable(err); why != nil {
				c.log.WarnContext(ctx, "answer file cannot be made", "job_id", a.JobID, "build_id", b.ID.String(), "error", err)
				broken[b.Ref()] = why
				continue
			}
			if err != nil {
				return nil, err
			}
			if bytes += len(answer); bytes > maxAnswers && len(a.Builds) > 0 {
				out = append(out, a)
				a.Builds, bytes = nil, len(answer)
			}
			a.Builds = append(a.Builds, protocol.Build{
				BuildID: b.ID.String(), Attempt: b.Attempt, StickID: b.StickID.String(), Identity: b.Device.Identity, AnswerFile: answer,
				Reference: b.Reference, Overrides: w.Job.Overrides, AskFound: true,
			})
			if w.Job.Kind == protocol.JobVerify {
				stick, err := tx.Stick(ctx, b.StickID)
				if err != nil {
					return nil, err
				}
				v := &protocol.VerifyBuild{DiskID: stick.DiskID}
				a.Builds[len(a.Builds)-1].Verify = v
				known, err := tx.RecordOfStick(ctx, b.StickID)
				if err == nil {
					v.Common = known.Own.Common
				} else if !isNotFound(err, "record") {
					return nil, err
				}
			}
		}
		if len(a.Builds) > 0 {
			out = append(out, a)
		}
	}
	return out, tx.FailUnsent(ctx, s.id, broken)
}

// unsendable is the fault for which no build of a job is sent to the host; nil
// without one.
func (c *Console) unsendable(ctx context.Context, n *names, s HostSession, j *store.Job, claimed bool) (*protocol.Fault, error) {
	if !s.can(j) {
		return protocol.NewFault(string(CodeHostOutdated), "host", s.Name), nil
	}
	if !claimed || !j.Kind.Writes() || j.ImageVersionID.IsZero() {
		return nil, nil //nolint:nilnil // no fault
	}
	v, err := n.version(ctx, j.ImageVersionID)
	if err != nil || v.State != store.VersionWithdrawn {
		return nil, err
	}
	c.log.WarnContext(ctx, "job of a withdrawn version not sent", "job_id", j.ID.String(), "version_id", v.ID.String())
	return protocol.NewFault(string(store.CodeVersionWithdrawn)), nil
}

// unanswerable is the fault of a build whose answer file cannot be made,
// whoever tries again; nil where the error says nothing about the file.
func unanswerable(err error) *protocol.Fault {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.KindInvalid && f.Code != store.CodeSealBroken && f.Code != store.CodeKeyMissing {
		return nil
	}
	params := maps.Clone(f.Params)
	delete(params, "text") // of the template: it may be a secret
	return &protocol.Fault{Code: string(f.Code), Params: params}
}

// assignment is the part of an Assign that all sticks of a job share.
func (c *Console) assignment(ctx context.Context, n *names, s HostSession, j *store.Job) (protocol.Assign, error) {
	a := protocol.Assign{JobID: j.ID.String(), Kind: j.Kind, Options: j.Options}
	if !j.ImageVersionID.IsZero() {
		v, err := n.version(ctx, j.ImageVersionID)
		if err != nil {
			return a, err
		}
		name, err := n.image(ctx, v.ImageID)
		if err != nil {
			return a, err
		}
		a.Image = protocol.Image{VersionID: v.ID.String(), Name: name, Version: v.Version, Format: v.Format, SHA256: v.SHA256, Bytes: v.Bytes}
		if a.Image.Disk, err = diskOf(ctx, n.r, &v); err != nil {
			return a, err
		}
		if a.Ticket, err = c.newTicket(ctx, s.id, v.SHA256); err != nil {
			return a, err
		}
	}
	if j.Kind == protocol.JobCapture {
		var err error
		if a.Ticket, err = c.newUploadTicket(ctx, s.id, j.ID); err != nil {
			return a, err
		}
	}
	if !j.TaskSequenceVersionID.IsZero() {
		sequence, err := n.sequence(ctx, j.TaskSequenceVersionID)
		if err != nil {
			return a, err
		}
		name, err := n.sequenceName(ctx, sequence.TaskSequenceID)
		if err != nil {
			return a, err
		}
		a.Recipe = protocol.Recipe{
			TaskSequence: name, TaskSequenceVersion: sequence.Number,
			TaskSequenceVersionID: sequence.ID.String(), Edition: j.Edition, Layout: j.Layout, BootSignature: sequence.BootSignature,
			PortableOperatingSystem: sequence.PortableOperatingSystem,
			MinWriteRate:            sequence.MinWriteRate, MinRandomIOPS: sequence.MinRandomIOPS,
		}
	}
	return a, nil
}

// template is the template of a job's answer files; nil where it has none.
func (n *names) template(ctx context.Context, j *store.Job) (*unattend.Template, error) {
	if j.TaskSequenceVersionID.IsZero() {
		return nil, nil //nolint:nilnil // jobs without a task sequence have no answer files
	}
	sequence, err := n.sequence(ctx, j.TaskSequenceVersionID)
	if err != nil {
		return nil, err
	}
	id := sequence.TemplateVersionID
	if t, ok := n.templates[id]; ok {
		return t, nil
	}
	t, err := loadTemplate(ctx, n.r, id)
	if err == nil {
		if n.templates == nil {
			n.templates = map[store.TemplateVersionID]*unattend.Template{}
		}
		n.templates[id] = t
	}
	return t, err
}

// loadTemplate unseals and parses a task sequence's template; nil where it has
// none.
func loadTemplate(ctx context.Context, r store.Reader, id store.TemplateVersionID) (*unattend.Template, error) {
	if id.IsZero() {
		return nil, nil //nolint:nilnil // no template is a choice, not an absence
	}
	body, err := r.TemplateBody(ctx, id)
	if err != nil {
		return nil, err
	}
	return unattend.Parse(body)
}

func render(t *unattend.Template, vars map[string]string) (string, error) {
	if t == nil {
		return "", nil
	}
	raw, err := t.Render(vars)
	return string(raw), err
}

// variables are what a build's answer file may use: its own, over these.
func variables(j *store.Job, b *store.Build, image, version string) map[string]string {
	vars := map[string]string{
		"job_id": j.ID.String(), "build_id": b.ID.String(), "stick_id": b.StickID.String(),
		"image": image, "version": version, "reference": b.Reference, "holder": b.Holder,
	}
	maps.Copy(vars, b.Variables)
	return vars
}

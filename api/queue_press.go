package api

import (
	"cmp"
	"context"
	"fmt"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/unattend"
	"github.com/stickpress/stickpress/store"
)

// planPress plans a protocol.JobPress: an edition of a version, in the layout of
// a task sequence.
func planPress(q *store.Questions, in *QueueJobInput, p *plan) decision {
	find, current := p.askVersion(q, in), q.CurrentSequence(in.TaskSequence)
	return func(ctx context.Context, r store.Reader) (func(*protocol.Device) error, error) {
		if err := find(ctx, r); err != nil {
			return nil, err
		}
		sequence, err := current()
		if err == nil {
			err = p.follow(&sequence)
		}
		if err != nil {
			return nil, err
		}
		if in.Layout != "" {
			p.job.Layout = in.Layout
		}
		if in.Edition != 0 {
			p.job.Edition = in.Edition
		}
		edition, err := checkEdition(&p.version, p.job.Edition)
		return func(d *protocol.Device) error { return checkFit(d, edition, p.job.Layout, p.pass) }, err
	}
}

// follow puts a task sequence into the plan.
func (p *plan) follow(s *store.CurrentSequence) (err error) {
	if s.Sequence.RetiredAt != nil {
		return fault.New(fault.KindConflict, CodeSequenceRetired, "name", s.Sequence.Name).At("task_sequence")
	}
	if s.Template != nil {
		if p.template, err = unattend.Parse(s.Template); err != nil {
			return err
		}
	}
	p.names.tell(s.Sequence.ID.String(), s.Sequence.Name)
	p.names.tellSequence(s.Version)
	p.job.TaskSequenceVersionID, p.job.Layout, p.job.Edition = s.Version.ID, s.Version.Layout, s.Version.Edition
	return nil
}

// askVersion asks for the version that the request names, for kinds that write
// one, and puts it into the plan.
func (p *plan) askVersion(q *store.Questions, in *QueueJobInput) func(context.Context, store.Reader) error {
	if in.Image == "" || in.Version != "" {
		return func(ctx context.Context, r store.Reader) error {
			v, err := findVersion(ctx, p.names, in.Image, in.Version, "")
			if err == nil && in.Channel != "" {
				err = stillIn(ctx, r, &v, in.Channel)
			}
			if err != nil {
				return err
			}
			return p.write(ctx, v, in.Channel)
		}
	}
	find := q.Channel(in.Image, cmp.Or(in.Channel, DefaultChannel))
	return func(ctx context.Context, _ store.Reader) error {
		found, err := find()
		if err != nil {
			return err
		}
		p.names.tell(found.Image.ID.String(), found.Image.Name)
		return p.write(ctx, found.Version, found.Channel.Name)
	}
}

// write puts a version into the plan.
func (p *plan) write(ctx context.Context, v store.Version, channel string) error {
	if v.State == store.VersionWithdrawn {
		return errWithdrawn(v)
	}
	image, err := p.names.image(ctx, v.ImageID)
	if err != nil {
		return err
	}
	p.names.tellVersion(v)
	p.version, p.image = v, image
	p.job.ImageVersionID, p.job.Channel = v.ID, channel
	return nil
}

// stillIn refuses a version to which a channel does not point any more: what was
// confirmed is not what would be handed out today.
func stillIn(ctx context.Context, r store.Reader, v *store.Version, channel string) error {
	ch, err := r.ChannelByName(ctx, v.ImageID, channel)
	if err != nil || ch.ImageVersionID == v.ID {
		return err
	}
	now, err := r.Version(ctx, ch.ImageVersionID)
	if err != nil {
		return err
	}
	return fault.New(fault.KindConflict, CodeChannelMoved, "channel", channel, "version", now.Version).At("version")
}

// checkEdition finds the edition and refuses what no stick could start.
func checkEdition(v *store.Version, index int) (*Edition, error) {
	if v.Format != "wim" && v.Format != "esd" {
		return nil, fault.New(fault.KindInvalid, CodeFormatRefused, "format", v.Format).At("version")
	}
	e, err := findEdition(v, index)
	if err != nil {
		return nil, err
	}
	if e.Architecture != "" && e.Architecture != "x86_64" {
		return nil, fault.New(fault.KindInvalid, CodeArchRefused, "architecture", e.Architecture, "edition", editionLabel(e)).At("edition")
	}
	return e, nil
}

func editionLabel(e *Edition) string { return fmt.Sprintf("%d %s", e.Index, e.Name) }

// checkAnswers renders every build's answer file once, so that what cannot be
// rendered is refused now and not when the sticks are plugged in.
func (p *plan) checkAnswers(j *store.Job) error {
	wrong := make([]error, 0, len(j.Builds))
	for i := range j.Builds {
		if _, err := render(p.template, variables(j, &j.Builds[i], p.image, p.version.Version)); err != nil {
			wrong = append(wrong, fault.From(err).At(deviceField(i)))
		}
	}
	return fault.All(wrong...)
}

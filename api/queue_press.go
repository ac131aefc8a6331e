package api

import (
	"context"
	"fmt"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// planPress plans a protocol.JobPress: an edition of a version, in the layout of
// a task sequence.
func planPress(ctx context.Context, r store.Reader, in *QueueJobInput, p *plan) (func(*protocol.Device) error, error) {
	if err := p.findVersion(ctx, r, in); err != nil {
		return nil, err
	}
	sequence, err := findSequence(ctx, r, in.TaskSequence)
	if err != nil {
		return nil, err
	}
	if sequence.RetiredAt != nil {
		return nil, fault.New(fault.KindConflict, CodeSequenceRetired, "name", sequence.Name).At("task_sequence")
	}
	steps, err := r.NewestSequenceVersion(ctx, sequence.ID)
	if err != nil {
		return nil, err
	}
	p.names.tell(sequence.ID.String(), sequence.Name)
	p.names.tellSequence(steps)
	p.job.TaskSequenceVersionID, p.job.Layout, p.job.Edition = steps.ID, steps.Layout, steps.Edition
	if in.Layout != "" {
		p.job.Layout = in.Layout
	}
	if in.Edition != 0 {
		p.job.Edition = in.Edition
	}
	edition, err := checkEdition(&p.version, p.job.Edition)
	return func(d *protocol.Device) error { return checkFit(d, edition, p.job.Layout, p.pass) }, err
}

// findVersion looks up the version that the request names, for kinds that
// write one.
func (p *plan) findVersion(ctx context.Context, r store.Reader, in *QueueJobInput) error {
	v, channel, err := findVersion(ctx, p.names, in.Image, in.Version, in.Channel)
	if err == nil && in.Version != "" && in.Channel != "" {
		channel, err = in.Channel, stillIn(ctx, r, &v, in.Channel)
	}
	if err != nil {
		return err
	}
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
func (p *plan) checkAnswers(ctx context.Context, j *store.Job) error {
	template, err := jobTemplate(ctx, p.names, j)
	if err != nil {
		return err
	}
	for i := range j.Builds {
		if _, err := render(template, variables(j, &j.Builds[i], p.image, p.version.Version)); err != nil {
			return fault.From(err).At(deviceField(i))
		}
	}
	return nil
}

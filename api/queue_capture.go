package api

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// imageForm is what names of images and channels look like; the database
// holds the same rule (images_name_check).
var imageForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

const (
	maxNotes     = 4000 // characters
	maxPartition = 1024
)

// planCapture plans a protocol.JobCapture: of one source, into a version that
// is not there yet. Where the request says nothing of it, the image leaves out
// what the console's list says (GetExclusions).
func planCapture(_ *store.Questions, in *QueueJobInput, p *plan) decision {
	return func(ctx context.Context, r store.Reader) (func(*protocol.Device) error, error) {
		return func(*protocol.Device) error { return nil }, p.capture(ctx, r, in)
	}
}

func (p *plan) capture(ctx context.Context, r store.Reader, in *QueueJobInput) error {
	o := protocol.CaptureOptions{}
	if in.Options.Capture != nil {
		o = *in.Options.Capture
	}
	if len(in.Devices) != 1 {
		return fault.New(fault.KindInvalid, CodeTooManyDevices, "most", 1).At("devices")
	}
	o.Image, o.Channel, o.Notes = strings.TrimSpace(o.Image), strings.TrimSpace(o.Channel), strings.TrimSpace(o.Notes)
	number, err := VersionNumber(strings.TrimSpace(o.Version))
	if err != nil {
		return fault.From(err).At("options.capture.version")
	}
	o.Version = number
	switch {
	case o.Channel != "" && !imageForm.MatchString(o.Channel):
		return fault.New(fault.KindInvalid, store.CodeNameInvalid, "kind", "channel").At("options.capture.channel")
	case utf8.RuneCountInString(o.Notes) > maxNotes || !utf8.ValidString(o.Notes):
		return fault.New(fault.KindInvalid, CodeTextTooLong, "field", "notes", "max", maxNotes).At("options.capture.notes")
	case o.Partition < 0 || o.Partition > maxPartition:
		return fault.New(fault.KindInvalid, CodePartitionInvalid, "partition", o.Partition, "max", maxPartition).At("options.capture.partition")
	}
	image, err := findImage(ctx, r, o.Image)
	switch {
	case err == nil:
		o.Image = image.Name
		if err := checkUnpublished(ctx, r, image.ID, o.Version); err != nil {
			return err
		}
	case !isNotFound(err, "image"):
		return err
	case !imageForm.MatchString(o.Image):
		return fault.New(fault.KindInvalid, store.CodeNameInvalid, "kind", "image").At("options.capture.image")
	}
	if o.Exclude == "" {
		set, err := exclusions(ctx, r)
		if err != nil {
			return err
		}
		o.Exclude = set.List
	}
	if err := checkExclusions("options.capture.exclude", o.Exclude); err != nil {
		return err
	}
	p.job.Options = protocol.JobOptions{Capture: &o}
	return nil
}

// checkUnpublished refuses a version that is there already.
func checkUnpublished(ctx context.Context, r store.Reader, image store.ImageID, number string) error {
	_, err := r.VersionByNumber(ctx, image, number)
	switch {
	case err == nil:
		return fault.New(fault.KindConflict, store.CodeVersionExists, "version", number).At("options.capture.version")
	case isNotFound(err, "image_version"):
		return nil
	}
	return err
}

// checkExclusions refuses a list that a host would not understand.
func checkExclusions(field, list string) error {
	_, err := exclusion.Parse(list)
	var bad *exclusion.Error
	if errors.As(err, &bad) {
		return fault.New(fault.KindInvalid, protocol.FaultExclusion, "line", bad.Line, "text", bad.Text, "reason", bad.Reason).At(field)
	}
	return err
}

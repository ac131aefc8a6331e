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
	if o.Exclude == "" {
		set, err := exclusions(ctx, r)
		if err != nil {
			return err
		}
		o.Exclude = set.List
	}
	o.Image, o.Channel, o.Notes = strings.TrimSpace(o.Image), strings.TrimSpace(o.Channel), strings.TrimSpace(o.Notes)
	number, image, wrong := checkNewVersion(ctx, r, o.Image, strings.TrimSpace(o.Version), o.Channel)
	o.Version, o.Image = number, image
	var notes, partition error
	if utf8.RuneCountInString(o.Notes) > maxNotes || !utf8.ValidString(o.Notes) {
		notes = fault.New(fault.KindInvalid, CodeTextTooLong, "field", "notes", "max", maxNotes).At("notes")
	}
	if o.Partition < 0 || o.Partition > maxPartition {
		partition = fault.New(fault.KindInvalid, CodePartitionInvalid, "partition", o.Partition, "max", maxPartition).At("partition")
	}
	wrong = fault.All(wrong, notes, checkExclusions("exclude", o.Exclude), partition)
	p.job.Options = protocol.JobOptions{Capture: &o}
	return fault.Renamed(wrong, func(field string) string { return "options.capture." + field })
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

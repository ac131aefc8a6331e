package view

import (
	"hash/fnv"
	"path"
	"strconv"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// captureFields are what only the form of a capture asks for. "number" is that of
// the version that it makes: "version" is the one that other kinds write.
var captureFields = []string{"image", "number", "channel", "notes", "partition", "exclude", "any_state"}

// CaptureOptions is what the form of a capture asks for. A partition that is
// no number is refused with the rest.
func CaptureOptions(p NewJob) *protocol.CaptureOptions {
	o := &protocol.CaptureOptions{
		Image: p.Fields["image"], Version: p.Fields["number"], Channel: p.Fields["channel"], Notes: p.Fields["notes"], Exclude: p.Fields["exclude"],
	}
	if text := p.Fields["partition"]; text != "" {
		var err error
		if o.Partition, err = strconv.Atoi(text); err != nil {
			o.Partition = -1
		}
	}
	return o
}

// captureFieldsOf are the fields of a form that ask for the options. The
// number is left out: the version may be there by now.
func captureFieldsOf(o *protocol.CaptureOptions) map[string]string {
	if o == nil {
		return nil
	}
	fields := map[string]string{"image": o.Image, "number": o.Version, "channel": o.Channel, "notes": o.Notes, "exclude": o.Exclude}
	if o.Partition > 0 {
		fields["partition"] = strconv.Itoa(o.Partition)
	}
	return fields
}

// captured is what a capture made, if it is done.
func captured(j api.Job) *protocol.CaptureResult {
	for _, b := range j.Builds {
		if b.Result != nil && b.Result.Capture != nil {
			return b.Result.Capture
		}
	}
	return nil
}

// sourceName is what a capture reads: a stick, or a file.
func sourceName(f Frame, b api.Build) string {
	if b.Identity.Kind == protocol.KindFile {
		return path.Base(b.Identity.Port)
	}
	return deviceName(f, b.Vendor, b.Model)
}

// sourceID is the HTML ID of a file's box: a path may hold what an ID cannot.
func sourceID(d api.Device) string {
	h := fnv.New64a()
	h.Write([]byte(d.Port))
	return "file-" + strconv.FormatUint(h.Sum64(), 36)
}

// newJobProblem is what is wrong with the form and is not said at a field.
func newJobProblem(p NewJob) string {
	if p.Kind == protocol.JobCapture {
		return p.Problem.Rest("image", "version", "channel", "notes", "partition", "exclude")
	}
	return p.Problem.Rest()
}

// offered lists the kinds of jobs that the form offers to this person.
func (f Frame) offered() (kinds []protocol.JobKind) {
	for _, k := range offered() {
		if k != protocol.JobCapture || f.Actor.Can(api.UseCapture) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

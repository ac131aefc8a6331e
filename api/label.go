package api

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/qr"
)

// Label is what is printed about a stick that may be handed out: on a label, or
// on the sheet that goes with it.
type Label struct {
	JobID   string `json:"job_id"`
	BuildID string `json:"build_id"`
	StickID string `json:"stick_id"`
	// Name is what people call the stick: the end of its ID.
	Name string `json:"name"`
	// Title stands largest: the holder, the computer or the name, the first that there is.
	Title       string      `json:"title"`
	Holder      string      `json:"holder,omitempty"`
	Computer    string      `json:"computer,omitempty"` // empty where Windows chose a name
	ExternalRef ExternalRef `json:"external_ref"`
	ImageName   string      `json:"image_name"`
	Version     string      `json:"version"`
	// BootSignature is the year of the signature of the stick's boot manager: a
	// PC may refuse one of them.
	BootSignature string     `json:"boot_signature,omitempty"`
	Vendor        string     `json:"vendor,omitempty"`
	Model         string     `json:"model,omitempty"`
	Serial        string     `json:"serial,omitempty"`
	Bytes         int64      `json:"bytes"`
	VerifiedAt    *time.Time `json:"verified_at,omitempty"`
	// URL is the stick's page, and Code the same as a QR code: an SVG without a
	// size of its own.
	URL  string `json:"url"`
	Code string `json:"code"`
}

// Labelled reports whether a job has sticks that may be handed out.
func Labelled(j Job) bool {
	for _, b := range j.Builds {
		if labelled(&j, &b) {
			return true
		}
	}
	return false
}

func labelled(j *Job, b *Build) bool {
	return b.State == "verified" && (j.Kind == protocol.JobPress || j.Kind == protocol.JobRaw)
}

// JobLabels are the labels of a job's sticks that may be handed out; base is the
// console's own address, for when nobody has said it (PublicURL).
// Faults: job_not_found.
func (c *Console) JobLabels(ctx context.Context, a Actor, id, base string) ([]Label, error) {
	j, err := c.GetJob(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return c.labels(ctx, &j, "", base)
}

// StickLabels is the label of a stick for what it carries now, or none if it may
// not be handed out; base is as for JobLabels. Faults: stick_not_found.
func (c *Console) StickLabels(ctx context.Context, a Actor, id, base string) ([]Label, error) {
	s, err := c.GetStick(ctx, a, id)
	if err != nil || s.State != "verified" || s.JobID == "" {
		return nil, err
	}
	j, err := c.GetJob(ctx, a, s.JobID)
	if err != nil {
		return nil, err
	}
	return c.labels(ctx, &j, s.BuildID, base)
}

// labels are those of a job, or of one of its builds.
func (c *Console) labels(ctx context.Context, j *Job, build, base string) ([]Label, error) {
	at, err := c.PublicURL(ctx, base)
	if err != nil {
		return nil, err
	}
	var out []Label
	for _, b := range j.Builds {
		if !labelled(j, &b) || build != "" && b.ID != build {
			continue
		}
		l, err := labelOf(j, &b, at+"/sticks/"+b.StickID)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

func labelOf(j *Job, b *Build, url string) (Label, error) {
	code, err := qr.Encode(url)
	if err != nil {
		return Label{}, fmt.Errorf("make the label of %s: %w", b.StickID, err)
	}
	l := Label{
		JobID: j.ID, BuildID: b.ID, StickID: b.StickID, Name: ShortName(b.StickID), Holder: b.Holder, ExternalRef: b.ExternalRef,
		ImageName: j.ImageName, Version: j.Version, BootSignature: j.BootSignature, Vendor: b.Vendor, Model: b.Model,
		Serial: b.Identity.Serial, Bytes: b.Identity.Bytes, VerifiedAt: b.EndedAt, URL: url, Code: code.SVG(),
	}
	if name := b.Variables[VariableComputerName]; name != anyComputerName {
		l.Computer = name
	}
	l.Title = cmp.Or(l.Holder, l.Computer, l.Name)
	return l, nil
}

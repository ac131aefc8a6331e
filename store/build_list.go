package store

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// BuildFilter narrows Builds; empty fields do not.
type BuildFilter struct {
	Sites          []SiteID // at which their jobs were queued
	HostID         HostID
	JobID          JobID
	StickID        StickID
	ImageID        ImageID
	ImageVersionID VersionID // that their jobs write
	Kind           protocol.JobKind
	States         []BuildState
	Reference      string // exact
	// ReferenceSystem is whose reference it is, exact.
	ReferenceSystem string
	Holder          string    // how it begins, whatever its case
	Fault           string    // code, exact
	From, To        time.Time // when they were queued: from, and before
	Page            BuildPage
}

// Builds lists builds, newest first.
func (r Reader) Builds(ctx context.Context, f BuildFilter) ([]Build, error) {
	var w, jobs where
	equal(&w, "host_id = @host", "host", f.HostID)
	equal(&w, "job_id = @job", "job", f.JobID)
	equal(&w, "stick_id = @stick", "stick", f.StickID)
	andStates(&w, f.States)
	// The index is of those that are not empty, in lower case.
	w.text("reference <> '' AND lower(reference) = lower(@reference) AND reference = @reference", "reference", f.Reference)
	w.text("reference_system = @system", "system", f.ReferenceSystem)
	w.text("holder <> '' AND lower(holder) LIKE @holder", "holder", beginning(f.Holder))
	w.text("fault_code = @fault", "fault", f.Fault)
	equal(&w, "id >= @from", "from", firstID[buildKind](f.From))
	equal(&w, "id < @to", "to", firstID[buildKind](f.To))
	if len(f.Sites) > 0 {
		jobs.and("site_id = ANY (@sites)", "sites", f.Sites)
	}
	equal(&jobs, "image_version_id IN (SELECT id FROM image_versions WHERE image_id = @image)", "image", f.ImageID)
	equal(&jobs, "image_version_id = @version", "version", f.ImageVersionID)
	jobs.text("kind = @kind", "kind", string(f.Kind))
	if len(jobs.conditions) > 0 {
		w.within("job_id IN (SELECT id FROM jobs", &jobs)
	}
	return byID[Build](ctx, r, "builds", "builds", buildColumns, &w, f.Page)
}

package view

import (
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// fits reports whether a version can be what a kind of job writes: a press
// needs editions, a raw job a disk.
func fits(kind protocol.JobKind, v api.Version) bool {
	switch kind { //nolint:exhaustive // the other kinds write no version
	case protocol.JobPress:
		return v.Disk == nil
	case protocol.JobRaw:
		return v.Disk != nil
	}
	return false
}

// Fitting keeps the versions that a kind of job can write.
func Fitting(kind protocol.JobKind, versions []api.Version) []api.Version {
	return slices.DeleteFunc(versions, func(v api.Version) bool { return !fits(kind, v) })
}

// writes reports whether a kind of job needs a version.
func writes(kind protocol.JobKind) bool {
	return kind == protocol.JobPress || kind == protocol.JobRaw
}

// noImages is what the form says when there is none.
func noImages(kind protocol.JobKind) string {
	if kind == protocol.JobRaw {
		return "raw.no_images"
	}
	return "job_new.no_images"
}

// diskWord says what a disk image is, before other words; nothing of a Windows.
func diskWord(v api.Version) string {
	if v.Disk == nil {
		return ""
	}
	return strings.ToUpper(v.Format) + " · " + locale.Bytes(v.Disk.Bytes) + " · "
}

// rawWarnings are what should be known before an image is written to sticks.
func rawWarnings(f Frame, v api.Version, sticks int) (out []string) {
	if sticks > 1 && v.Disk.DiskID != "" {
		out = append(out, f.T("raw.warn_copies", "count", sticks, "disk_id", v.Disk.DiskID))
	}
	if v.Disk.Table == "" && v.Format != protocol.FormatISO {
		out = append(out, f.T("raw.warn_no_table"))
	}
	if !v.Disk.Starts {
		if v.Format == protocol.FormatISO {
			out = append(out, f.T("raw.warn_iso"))
		} else {
			out = append(out, f.T("raw.warn_no_start"))
		}
	}
	return out
}

// rawWritten says how much of the disk is written.
func rawWritten(f Frame, v api.Version) string {
	if v.BlockMap != nil && v.BlockMap.Trusted {
		return f.T("raw.written_mapped", "mapped_bytes", v.BlockMap.MappedBytes)
	}
	return f.T("raw.written_all", "disk_bytes", v.Disk.Bytes)
}

// newJobOf is the address of the form of a job that writes a version.
func newJobOf(v api.Version) string {
	if v.Disk != nil {
		return "/jobs/new?kind=raw&version=" + v.ID
	}
	return "/jobs/new?version=" + v.ID
}

// newJobWord is on the link to that form.
func newJobWord(f Frame, v api.Version) string {
	if v.Disk != nil {
		return f.T("raw.new")
	}
	return f.T("job.new")
}

// withdrawing is a problem of the form that withdraws a version; that of its
// block map asks for no name.
func withdrawing(f Frame, p Problem) Problem {
	if f.Posted.Has("name") {
		return p
	}
	return Problem{}
}

// vouched reports whether the block map is said to be trusted: as it was ticked,
// if that was refused.
func vouched(f Frame, v api.Version, p Problem) bool {
	if p.Sentence != "" && withdrawing(f, p).Sentence == "" {
		return f.Posted.Has("trusted")
	}
	return v.BlockMap != nil && v.BlockMap.Trusted
}

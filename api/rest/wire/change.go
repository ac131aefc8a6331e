package wire

import (
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// IssueStick is the body of POST /sticks/{stick}/issues.
type IssueStick struct {
	Holder    string `json:"holder" doc:"Who gets it."`
	Reference string `json:"reference,omitempty" doc:"The ticket."`
}

// TickStickTask is the body of POST /sticks/{stick}/tasks/{task}/ticks.
type TickStickTask struct {
	Done *bool `json:"done,omitempty" doc:"false takes the tick away; true if left out."`
}

// ScanStick is the body of POST /scans.
type ScanStick struct {
	Code      string `json:"code" doc:"What the scanner read: the address of the stick's page, its ID, or the short name on its label."`
	Act       string `json:"act" enum:"issue,return"`
	Holder    string `json:"holder,omitempty" doc:"Who gets it, of 'issue'."`
	Reference string `json:"reference,omitempty" doc:"The ticket, of 'issue'."`
}

// Scanned is the answer to ScanStick.
type Scanned struct {
	Stick api.Stick `json:"stick"`
	Seq   int64     `json:"seq"`
}

// UndoStickMove is the body of POST /sticks/{stick}/undos.
type UndoStickMove struct {
	Seq int64 `json:"seq" minimum:"1" doc:"Of the event that is to be taken back: the last one of the stick's history."`
}

// SaveSite is the body of POST /sites and PUT /sites/{site}.
type SaveSite struct {
	Name    string `json:"name"`
	Default bool   `json:"default,omitempty" doc:"Make it the one where hosts are enrolled that name no other. It stops being so when another one is made so."`
}

// UpdateHost is the body of PUT /hosts/{host}.
type UpdateHost struct {
	Name string `json:"name"`
	Site string `json:"site,omitempty" doc:"ID or name; where it is if left out."`
}

// SaveSetting is the body of PUT /settings/{setting}.
type SaveSetting struct {
	Value string `json:"value" doc:"As the setting's 'kind' has it: text, an http(s) URL without a path, whole GiB or whole hours from 1. Empty for the default."`
}

// UpdateUser is the body of PUT /users/{user}.
type UpdateUser struct {
	Name  string   `json:"name" doc:"As shown."`
	Role  string   `json:"role" doc:"'viewer', 'helpdesk' or 'admin'."`
	Sites []string `json:"sites,omitempty" doc:"IDs of the sites that the person sees and uses; every site if left out."`
}

// CreateSignInLink is the body of POST /users/{user}/sign-in-links.
type CreateSignInLink struct {
	TTLSeconds int64 `json:"ttl_seconds,omitempty" minimum:"0" maximum:"86400" doc:"0 means 15 minutes."`
}

// CreateView is the body of POST /views.
type CreateView struct {
	List   string `json:"list" doc:"The list's path without its slash, such as 'jobs'."`
	Name   string `json:"name"`
	Query  string `json:"query" doc:"The list's filters as its query string has them, such as 'state=failed&host=bench'. What the list does not know is left out."`
	Shared bool   `json:"shared,omitempty" doc:"Everybody's (admin)."`
}

// SaveView is the body of PUT /views/{view}.
type SaveView struct {
	Name  string `json:"name"`
	Query string `json:"query" doc:"As in POST /views."`
}

// EstimateJob is the body of POST /job-estimates.
type EstimateJob struct {
	Kind         protocol.JobKind `json:"kind,omitempty" doc:"'press' if empty, 'raw', 'verify', 'wipe' or 'capture'."`
	Host         string           `json:"host" minLength:"1" doc:"ID or name of the imaging host."`
	TaskSequence string           `json:"task_sequence,omitempty" doc:"Name or ID, of 'press'; the default one if empty."`
	Version      string           `json:"version,omitempty" doc:"ID of a version, of 'raw'."`
	Bytes        []int64          `json:"bytes" minItems:"1" maxItems:"32" doc:"The sizes of its sticks."`
	// As of the job itself.
	Wipe *protocol.WipeOptions `json:"wipe,omitempty" doc:"How, of 'wipe'; in any way if it is left out."`
}

// Estimate is the answer to EstimateJob.
type Estimate struct {
	Builds      int   `json:"builds" doc:"That it is made from; 0: nothing is known."`
	LowSeconds  int64 `json:"low_seconds" doc:"One build of ten was faster."`
	HighSeconds int64 `json:"high_seconds" doc:"One build of ten was slower."`
}

// MarkFirstRun is the body of POST /first-run/marks.
type MarkFirstRun struct {
	Step api.FirstRunStep `json:"step" doc:"'address', 'storage', 'host', 'image', 'template' or 'press'."`
	Mark string           `json:"mark" enum:"open,done,skipped" doc:"'open' shows it again."`
}

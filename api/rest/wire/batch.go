package wire

import (
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// Batch is the body of POST /batches and POST /batch-checks.
type Batch struct {
	Table        string              `json:"table" maxLength:"262144" doc:"A row for each stick, 1 to 32: holder, computer name, reference; separated by tabs, semicolons, bars or commas. With headings the columns may stand in any order."`
	Kind         protocol.JobKind    `json:"kind,omitempty" doc:"'press' if empty."`
	Image        string              `json:"image,omitempty" doc:"Name or ID of an image. May be left out if version is a version ID."`
	Version      string              `json:"version,omitempty" doc:"SemVer or version ID. Without it the channel is resolved."`
	Channel      string              `json:"channel,omitempty" doc:"Channel of the image; 'stable' if empty."`
	Host         string              `json:"host" minLength:"1" doc:"ID or name of the imaging host."`
	Devices      []protocol.Identity `json:"devices,omitempty" doc:"The sticks of the rows in their order, exactly as GET /hosts/{host} shows them; dealt if left out."`
	TaskSequence string              `json:"task_sequence,omitempty" doc:"Name or ID; the default one if empty."`
	Layout       string              `json:"layout,omitempty" doc:"'mbr-dual' or 'gpt-uefi'; the task sequence's if empty."`
	Edition      int                 `json:"edition,omitempty" minimum:"0" doc:"Index in the image, from 1; 0 means the task sequence's."`
	Options      protocol.JobOptions `json:"options,omitzero"`
	Overrides    []string            `json:"overrides,omitempty" doc:"Codes of refusals that are to pass; admins only, and not every code. Recorded."`
	ExternalRef  api.ExternalRef     `json:"external_ref,omitzero" doc:"Its id is that of rows that have none, its system that of all."`
	Variables    map[string]string   `json:"variables,omitempty" doc:"Variables of the answer file; computer_name is the pattern of rows that have none."`
	NotBefore    *time.Time          `json:"not_before,omitempty" doc:"The host gets the job then; at once if left out."`
}

// Input is the body as the console takes it.
func (b Batch) Input() api.BatchInput {
	in := api.BatchInput{Table: b.Table, Job: api.QueueJobInput{
		Kind: b.Kind, Image: b.Image, Version: b.Version, Channel: b.Channel, Host: b.Host, TaskSequence: b.TaskSequence, Layout: b.Layout,
		Edition: b.Edition, Options: b.Options, Overrides: b.Overrides, ExternalRef: b.ExternalRef, Variables: b.Variables, NotBefore: b.NotBefore,
	}}
	for _, d := range b.Devices {
		in.Job.Devices = append(in.Job.Devices, api.QueueDevice{Identity: d})
	}
	return in
}

// BatchPlan is the answer to POST /batch-checks.
type BatchPlan struct {
	Rows    []BatchRow `json:"rows"`
	Ignored []string   `json:"ignored,omitempty" doc:"Headings of columns that mean nothing here."`
	OK      bool       `json:"ok" doc:"Nothing is wrong with any row."`
}

// BatchRow is a row with what is wrong with it.
type BatchRow struct {
	api.BatchRow
	Problems []CellProblem `json:"problems"`
}

// CellProblem is what is wrong with one cell.
type CellProblem struct {
	Field  string `json:"field" doc:"'holder', 'computer_name', 'reference' or 'identity': it has no stick."`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

package view

import (
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/batch"
)

// Repeat fills a form in with what somebody pressed before, for other sticks:
// the same channel, and what it points to today.
func (p *NewJob) Repeat(j api.Job) {
	p.Version, p.Sequence, p.Host = j.VersionID, j.TaskSequenceID, j.HostID
	p.Reference, p.Holder, p.ComputerName = j.ExternalRef.ID, j.Holder, j.Variables[api.VariableComputerName]
	p.Fields, p.Before = fieldsOf(&j), &j
	if j.Channel == "" {
		return
	}
	for _, v := range p.Versions {
		for _, c := range v.Channels {
			if v.ImageID == j.ImageID && c == j.Channel {
				p.Version, p.Channel = v.ID, c
			}
		}
	}
}

// again chooses the sticks of a job that are not verified. Those that were for
// several people come back as the rows of a table.
func (p *NewJob) again(j api.Job) {
	several := false
	for _, b := range j.Builds {
		several = several || j.Kind == protocol.JobPress && (b.Holder != j.Holder || b.ExternalRef.ID != j.ExternalRef.ID)
	}
	for _, b := range j.Builds {
		if b.State == "verified" {
			continue
		}
		if !several {
			p.Chosen = append(p.Chosen, b.Identity)
			continue
		}
		p.Rows = append(p.Rows, Row{
			Row:    batch.Row{Holder: b.Holder, Computer: b.Variables[api.VariableComputerName], Reference: b.ExternalRef.ID},
			Device: identityValue(b.Identity),
		})
	}
}

package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/batch"
	"github.com/stickpress/stickpress/api/fault"
)

// BatchInput is a table with a row for each stick of a job.
type BatchInput struct {
	Table string // as somebody pasted it, see package batch
	// Job is what all sticks have in common. Its Devices, if there are any, are
	// the sticks of the rows in their order; else the free sticks of its host are
	// dealt in the order of the port map.
	Job QueueJobInput
}

// BatchRow is what a row of the table becomes.
type BatchRow struct {
	Line      int    `json:"line"` // in the table, from 1
	Holder    string `json:"holder,omitempty"`
	Computer  string `json:"computer_name,omitempty"` // that the stick will be called; empty where Windows chooses
	Reference string `json:"reference,omitempty"`
	// Identity is the stick that the row gets.
	Identity *protocol.Identity `json:"identity,omitempty"`
}

// BatchPlan is a table that was checked.
type BatchPlan struct {
	Rows     []BatchRow
	Ignored  []string // headings of columns that mean nothing here
	Problems []CellProblem

	job QueueJobInput
}

// CheckJobBatch checks a table row by row and queues nothing (helpdesk).
// What is wrong with single cells is in Problems. Faults: those of
// batch.Parse, host_not_found.
func (c *Console) CheckJobBatch(ctx context.Context, a Actor, in BatchInput) (BatchPlan, error) {
	if err := allow(a, UseQueueJob); err != nil {
		return BatchPlan{}, err
	}
	table, err := batch.Parse([]byte(in.Table))
	if err != nil {
		return BatchPlan{}, err
	}
	held, host, err := c.dealt(ctx, a, &in.Job, len(table.Rows))
	if err != nil {
		return BatchPlan{}, err
	}
	out := BatchPlan{Ignored: table.Ignored, Rows: make([]BatchRow, 0, len(table.Rows)), job: in.Job}
	var names []string
	names, out.Problems = CheckBatch(table.Rows, in.Job.Variables[VariableComputerName], in.Job.ExternalRef.ID)
	out.job.Holder, out.job.Devices = "", make([]QueueDevice, 0, len(table.Rows))
	for i, r := range table.Rows {
		row := BatchRow{Line: r.Line, Holder: r.Holder, Computer: names[i], Reference: cmp.Or(r.Reference, in.Job.ExternalRef.ID)}
		d := QueueDevice{Holder: r.Holder}
		if r.Reference != "" {
			d.ExternalRef = ExternalRef{System: cmp.Or(in.Job.ExternalRef.System, TicketSystem), ID: r.Reference}
		}
		if i < len(in.Job.Devices) {
			d.Variables = maps.Clone(in.Job.Devices[i].Variables)
		}
		if r.Computer != "" {
			if d.Variables == nil {
				d.Variables = map[string]string{}
			}
			d.Variables[VariableComputerName] = r.Computer
		}
		if held[i] == (protocol.Identity{}) {
			out.Problems = append(out.Problems, CellProblem{i, "identity", fault.New(fault.KindConflict, CodeBatchRowNoStick, "host", host)})
		} else {
			row.Identity, d.Identity = &held[i], held[i]
		}
		out.Rows, out.job.Devices = append(out.Rows, row), append(out.job.Devices, d)
	}
	return out, nil
}

// dealt says which stick each row gets, the zero Identity for none, and the name
// of the host.
func (c *Console) dealt(ctx context.Context, a Actor, job *QueueJobInput, rows int) ([]protocol.Identity, string, error) {
	host, err := c.GetHost(ctx, a, job.Host)
	if err != nil {
		return nil, "", err
	}
	held := make([]protocol.Identity, rows)
	if len(job.Devices) > 0 {
		for i := range min(rows, len(job.Devices)) {
			held[i] = job.Devices[i].Identity
		}
		return held, host.Name, nil
	}
	ports, err := c.GetHostPorts(ctx, a, host.ID)
	if err != nil {
		return nil, "", err
	}
	var free []Device
	for _, d := range InOrder(host.Devices, ports.Items) {
		if d.Free(job.Kind.OrPress()) {
			free = append(free, d)
		}
	}
	return Deal(free, held), host.Name, nil
}

// QueueBatch queues a job with a stick for each row of a table (helpdesk), or
// nothing if a row cannot be done. Faults: those of CheckJobBatch and QueueJob,
// batch_rows_wrong.
func (c *Console) QueueBatch(ctx context.Context, a Actor, in BatchInput) (Job, error) {
	p, err := c.CheckJobBatch(ctx, a, in)
	if err != nil {
		return Job{}, err
	}
	if len(p.Problems) > 0 {
		wrong := fault.New(fault.KindInvalid, CodeBatchRowsWrong).At("table")
		for _, x := range p.Problems {
			wrong.Parts = append(wrong.Parts, x.Err.At(fmt.Sprintf("table.rows[%d].%s", x.Row, x.Field)))
		}
		return Job{}, wrong
	}
	return c.QueueJob(ctx, a, p.job)
}

package view

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/batch"
	"github.com/stickpress/stickpress/api/fault"
)

// Row is one stick of a table: what was typed, what is wrong with it, and which
// device it was dealt.
type Row struct {
	batch.Row
	// Device is the value of a device's box, empty for none yet, or NoDevice.
	Device   string
	Name     string            // of its computer, once the row is right
	Problems map[string]string // sentences by field
}

// NoDevice is a row's Device when somebody chose that it has none.
const NoDevice = "none"

// Identity is the device that the row was dealt.
func (r Row) Identity() (protocol.Identity, bool) {
	var id protocol.Identity
	if r.Device == "" || r.Device == NoDevice {
		return id, false
	}
	return id, json.Unmarshal([]byte(r.Device), &id) == nil
}

// none is what the row sends when its stick is taken away from it: a row that
// waits for a stick goes on waiting.
func (r Row) none() string {
	if r.Device == "" {
		return ""
	}
	return NoDevice
}

// CheckRows checks the table and says in the reader's language what is wrong
// with which cell. Faults: table_rows_wrong (rows).
func (p *NewJob) CheckRows(f Frame) error {
	rows := make([]batch.Row, len(p.Rows))
	for i, r := range p.Rows {
		rows[i] = r.Row
	}
	names, problems := api.CheckBatch(rows, p.ComputerName, p.Reference)
	for i := range p.Rows {
		p.Rows[i].Name, p.Rows[i].Problems = names[i], nil
	}
	for _, c := range problems {
		r := &p.Rows[c.Row]
		if r.Problems == nil {
			r.Problems = map[string]string{}
		}
		r.Problems[c.Field] = f.L.Fault(string(c.Err.Code), c.Err.Params)
	}
	var wrong []string
	for i, r := range p.Rows {
		if len(r.Problems) > 0 {
			wrong = append(wrong, strconv.Itoa(i+1))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fault.New(fault.KindInvalid, "table_rows_wrong", "rows", strings.Join(wrong, ", "))
}

// Deal gives each row that has no stick the next free one, in the order of the
// ports. A row's stick that is not there any more, or not the same, is taken
// away from it.
func (p *NewJob) Deal() {
	var rows []int // those that may have a stick
	var held []protocol.Identity
	for i, r := range p.Rows {
		if r.Device != NoDevice {
			id, _ := r.Identity()
			rows, held = append(rows, i), append(held, id)
		}
	}
	for n, id := range api.Deal(p.freeDevices(), held) {
		p.Rows[rows[n]].Device = ""
		if id != (protocol.Identity{}) {
			p.Rows[rows[n]].Device = identityValue(id)
		}
	}
}

// Dealt are the devices of the rows, and the rows that have none or one that
// another row has as well.
func (p *NewJob) Dealt(f Frame) (devices []protocol.Identity, ok bool) {
	ok = true
	seen := map[protocol.Identity]int{}
	for i := range p.Rows {
		r := &p.Rows[i]
		id, has := r.Identity()
		problem := ""
		if first, twice := seen[id]; !has {
			problem = f.T("batch.row_no_stick")
		} else if twice {
			problem = f.T("batch.row_stick_twice", "row", first+1)
		}
		if problem != "" {
			if r.Problems == nil {
				r.Problems = map[string]string{}
			}
			r.Problems["device"], ok = problem, false
			continue
		}
		seen[id] = i
		devices = append(devices, id)
	}
	return devices, ok
}

// KeepThere forgets chosen sticks that are not there any more, or not the same.
func (p *NewJob) KeepThere() {
	var still []protocol.Identity
	for _, d := range p.freeDevices() {
		if p.chosen(d.Identity) {
			still = append(still, d.Identity)
		}
	}
	p.Chosen = still
}

// freeDevices are the devices of the host that this kind of job may have, in
// the order of the port map.
func (p *NewJob) freeDevices() []api.Device {
	var all []api.Device
	h, _ := p.host()
	for _, d := range api.InOrder(h.Devices, p.Ports.Items) {
		if d.Free(p.Kind) {
			all = append(all, d)
		}
	}
	return all
}

// stick is what a job for one of the chosen sticks will be, for a page that
// lists them.
type stick struct {
	Device                     api.Device
	Holder, Computer, Ticket   string
	Label                      string // its port, as people call it
	NameProblem, DeviceProblem string
}

// sticks are the chosen sticks with what each will be.
func (p NewJob) sticks(f Frame) []stick {
	var all []stick
	if len(p.Rows) > 0 {
		for _, r := range p.Rows {
			id, _ := r.Identity()
			d := p.device(id)
			s := stick{Device: d, Label: portName(d.PortLabel, d.Port), Holder: r.Holder, Computer: r.Name, Ticket: r.Reference}
			if s.Ticket == "" {
				s.Ticket = p.Reference
			}
			all = append(all, s)
		}
		return all
	}
	names, problem := p.names(f)
	for i, c := range p.Chosen {
		d := p.device(c)
		all = append(all, stick{
			Device: d, Label: portName(d.PortLabel, d.Port), Holder: p.Holder, Ticket: p.Reference,
			Computer: names[i], NameProblem: problem[i],
		})
	}
	return all
}

// names are what the computers of the chosen sticks will be called, or why not.
func (p NewJob) names(f Frame) (names, problems []string) {
	names, problems = make([]string, len(p.Chosen)), make([]string, len(p.Chosen))
	rows := make([]batch.Row, len(p.Chosen))
	for i := range rows {
		rows[i] = batch.Row{Holder: p.Holder, Computer: p.ComputerName, Reference: p.Reference}
		if rows[i] == (batch.Row{}) {
			rows[i].Holder = "–" // a table's row may not be empty, a stick without any of it may
		}
	}
	got, wrong := api.CheckBatch(rows, "", "")
	copy(names, got)
	for _, c := range wrong {
		if c.Field == api.VariableComputerName {
			problems[c.Row] = f.L.Fault(string(c.Err.Code), c.Err.Params)
		}
	}
	return names, problems
}

// below is what is read below the title of the confirmation: what goes where.
func (p NewJob) below() string {
	h, _ := p.host()
	if v, ok := p.version(); ok {
		return v.ImageName + " " + v.Version + " · " + h.Name
	}
	return h.Name
}

// Care reports whether a chosen stick holds what somebody may miss.
func (p NewJob) Care() bool { return len(p.careful()) > 0 }

// careful are the places of the chosen sticks that hold what somebody may miss.
func (p NewJob) careful() []string {
	var places []string
	for _, c := range p.Chosen {
		if d := p.device(c); d.NeedsCare() {
			places = append(places, cmp.Or(d.PortLabel, d.Port))
		}
	}
	return places
}

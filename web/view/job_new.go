package view

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// NewJob is what was chosen for a new job so far, and what there is to choose
// from.
type NewJob struct {
	Kind                            protocol.JobKind
	Version, Host, Sequence         string // IDs
	Channel                         string // through which Version was chosen, or empty
	Reference, Holder, ComputerName string // the last may be a pattern, see api.ComputerName
	Key                             string // makes a form that is sent twice one job
	Chosen                          []protocol.Identity
	// ByTable asks for a table with one row for each stick, in place of one
	// holder: Table is what could not be read yet, Rows what was.
	ByTable bool
	Table   string
	Rows    []Row
	Ignored []string // headings of the table that mean nothing here
	When    When
	// Fields are what the form of this kind asks for beside the above, by their
	// names; see JobFields.
	Fields map[string]string
	// Before is the job that is repeated, as far as the form does not ask; nil
	// where there is none.
	Before *api.Job
	// Requests are those of tickets that the job answers.
	Requests []api.StickRequest

	Images    []api.Image
	Versions  []api.Version
	Sequences []api.TaskSequence
	Hosts     []api.Host
	Ports     api.HostPorts             // of the host
	PortsOf   map[string][]api.HostPort // of all hosts, by ID, for their pictures
	Estimate  api.Estimate              // of the confirmation
	Last      *api.Job                  // what this person pressed last, where the form is new
	Problem   Problem
	// Overrides are codes of faults that an admin lets pass.
	Overrides []string
}

// JobFields names, for each kind of job that the form offers, the fields that
// only its form has. They travel from the form to the confirmation and back.
var JobFields = map[protocol.JobKind][]string{
	protocol.JobPress:   {"erase_first", FieldBefore},
	protocol.JobRaw:     {"erase_first"},
	protocol.JobVerify:  nil,
	protocol.JobWipe:    {"method", "passes"},
	protocol.JobCapture: captureFields,
}

// optionFields are the fields of a form that ask for the options.
func optionFields(o *protocol.JobOptions) map[string]string {
	fields := map[string]string{}
	if o.EraseFirst {
		fields["erase_first"] = "on"
	}
	maps.Copy(fields, wipeFields(o.Wipe))
	maps.Copy(fields, captureFieldsOf(o.Capture))
	return fields
}

// offered lists the kinds of jobs that the form offers, in their order.
func offered() []protocol.JobKind {
	return slices.DeleteFunc(slices.Clone(protocol.JobKinds), func(k protocol.JobKind) bool {
		_, ok := JobFields[k]
		return !ok
	})
}

// Again is the address of the first page with everything that was chosen.
func (p NewJob) Again() string {
	q := url.Values{}
	for name, value := range map[string]string{
		"version": p.versionValue(), "host": p.Host, "sequence": p.Sequence,
		"reference": p.Reference, "holder": p.Holder, "computer_name": p.ComputerName,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if p.Kind != protocol.JobPress {
		q.Set("kind", string(p.Kind))
	}
	for _, name := range JobFields[p.Kind] {
		if value := p.Fields[name]; value != "" {
			q.Set(name, value)
		}
	}
	for _, x := range p.Requests {
		q.Add("request", x.ID)
	}
	for _, c := range p.Chosen {
		q.Add("device", identityValue(c))
	}
	for _, r := range p.Rows {
		q.Add("row_holder", r.Holder)
		q.Add("row_computer", r.Computer)
		q.Add("row_reference", r.Reference)
		q.Add("row_device", r.Device)
	}
	if len(p.Rows) > 0 {
		q.Set("by", "table")
	}
	return "/jobs/new?" + q.Encode()
}

// as is the same choice for another kind of job.
func (p NewJob) as(kind protocol.JobKind) NewJob {
	if v, ok := p.version(); ok && !fits(kind, v) {
		p.Version = ""
	}
	p.Kind = kind
	p.Rows, p.ByTable = nil, false
	return p
}

// versionValue is the chosen version with the channel that it was chosen by,
// as the form carries it.
func (p NewJob) versionValue() string {
	if p.Channel == "" {
		return p.Version
	}
	return p.Version + "@" + p.Channel
}

func (p NewJob) host() (api.Host, bool) {
	for _, h := range p.Hosts {
		if h.ID == p.Host {
			return h, true
		}
	}
	return api.Host{}, false
}

func (p NewJob) version() (api.Version, bool) {
	for _, v := range p.Versions {
		if v.ID == p.Version {
			return v, true
		}
	}
	return api.Version{}, false
}

// sequence is the task sequence that was chosen, or the default one.
func (p NewJob) sequence() (api.TaskSequence, bool) {
	for _, q := range p.Sequences {
		if q.ID == p.Sequence || p.Sequence == "" && q.Default {
			return q, true
		}
	}
	return api.TaskSequence{}, false
}

// edition is what the chosen version calls the edition of an index.
func (p NewJob) edition(index int) string {
	v, _ := p.version()
	for _, e := range v.Editions {
		if e.Index == index {
			return strconv.Itoa(index) + " · " + e.Name
		}
	}
	return strconv.Itoa(index)
}

func (p NewJob) chosen(id protocol.Identity) bool {
	return slices.Contains(p.Chosen, id)
}

// device is the host's device or file of an identity, for its vendor and model.
func (p NewJob) device(id protocol.Identity) api.Device {
	h, _ := p.host()
	for _, d := range slices.Concat(h.Devices, h.Files) {
		if d.Identity == id {
			return d
		}
	}
	return api.Device{Device: protocol.Device{Identity: id}}
}

// identityValue is an identity as a form carries it: exactly what was seen,
// so that any change since refuses the write.
func identityValue(id protocol.Identity) string {
	raw, err := json.Marshal(id)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return string(raw)
}

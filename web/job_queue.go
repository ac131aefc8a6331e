package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// jobQueue queues what was confirmed. What is refused is shown where it can be
// put right, with everything that was typed.
func (s *Web) jobQueue(w http.ResponseWriter, r *http.Request) error {
	p, f, ok, err := s.chosenJob(w, r)
	if err != nil || !ok {
		return err
	}
	job, err := s.queueConfirmed(r, p)
	if err == nil {
		return see(w, r, "/jobs/"+job.ID)
	}
	p.Problem = view.NewProblem(f.L, err)
	if failed := s.estimate(r, &p); failed != nil {
		return failed
	}
	return s.again(w, r, err, refusedStep(f, p))
}

func (s *Web) queueConfirmed(r *http.Request, p view.NewJob) (api.Job, error) {
	at, wrong := timeOf(p.When)
	count, _ := strconv.Atoi(strings.TrimSpace(r.PostFormValue("count")))
	if p.Kind.Writes() && p.Care() && count != len(p.Chosen) {
		wrong = fault.All(wrong, fault.New(fault.KindInvalid, "count_wrong", "count", len(p.Chosen)).At("count"))
	}
	in := api.QueueJobInput{
		Kind: p.Kind, Host: p.Host, Overrides: p.Overrides, ExternalRef: p.Ref(p.Reference), Holder: p.Holder, NotBefore: at,
		IdempotencyKey: r.PostFormValue("key"),
	}
	fillJob(&in, p)
	for i, d := range p.Chosen {
		device := api.QueueDevice{Identity: d, Variables: p.VariablesBefore(d)}
		if len(p.Rows) > 0 {
			row := p.Rows[i]
			device.Holder, device.ExternalRef = row.Holder, p.Ref(row.Reference)
			if row.Computer != "" {
				if device.Variables == nil {
					device.Variables = map[string]string{}
				}
				device.Variables[api.VariableComputerName] = row.Computer
			}
		}
		in.Devices = append(in.Devices, device)
	}
	j, err := s.console.QueueJob(r.Context(), actorOf(r).Refused(wrong), in)
	return j, fault.All(err, wrong) // what is chosen on an earlier page comes first
}

// timeOf is the moment that a form means, nil for at once.
func timeOf(w view.When) (*time.Time, error) {
	if !w.Later {
		return nil, nil //nolint:nilnil // at once
	}
	at, known, ok := w.Time()
	var wrongAt, wrongZone error
	if !ok {
		wrongAt = fault.New(fault.KindInvalid, "time_invalid").At("at")
	}
	if !known {
		wrongZone = fault.New(fault.KindInvalid, "zone_unknown", "zone", w.Zone).At("zone")
	}
	if err := fault.All(wrongAt, wrongZone); err != nil {
		return nil, err
	}
	return &at, nil
}

// sticksStep is the page on which the sticks of a kind of job are chosen.
func sticksStep(f view.Frame, p view.NewJob) templ.Component {
	if p.Kind == protocol.JobPress {
		p.Deal()
		p.KeepThere()
		return view.JobWhere(f, p)
	}
	return view.JobNew(f, p)
}

// refusedStep is the page on which the reason of a refusal can be put right: a
// stick that was pulled out is chosen anew.
func refusedStep(f view.Frame, p view.NewJob) templ.Component {
	switch code := fault.Code(p.Problem.Code); {
	case p.Kind == protocol.JobCapture:
		return view.JobNew(f, p)
	case p.Kind == protocol.JobPress && (code == api.CodeDeviceGone || code == api.CodeDeviceChanged):
		return sticksStep(f, p)
	case p.Kind == protocol.JobPress && (code == api.CodeComputerName || code == api.CodeComputerPattern || code == api.CodeComputerTwice):
		p.Problem = p.Problem.Renamed(p.Problem.Field, "computer_name")
		return view.JobNew(f, p)
	}
	p.Problem = p.Problem.Renamed("not_before", "at")
	return view.JobConfirm(f, p)
}

// fillJob puts what the form of a kind asks for into the request.
func fillJob(in *api.QueueJobInput, p view.NewJob) {
	switch p.Kind { //nolint:exhaustive // the form offers no other, see readJob
	case protocol.JobWipe:
		in.Options.Wipe = view.WipeOptions(p)
	case protocol.JobCapture:
		in.Options.Capture = view.CaptureOptions(p)
		if p.Fields["any_state"] != "" {
			in.Overrides = append(in.Overrides, protocol.FaultCaptureNotGeneralized)
		}
	case protocol.JobRaw:
		in.Version = p.Version
		in.Options.EraseFirst = p.Fields["erase_first"] != ""
	case protocol.JobPress:
		in.StickRequests, in.Layout = p.Answered(), p.RequestedLayout()
		in.Version, in.Channel, in.TaskSequence = p.Version, p.Channel, p.Sequence
		in.Options.EraseFirst = p.Fields["erase_first"] != ""
		if p.Before != nil {
			in.Layout, in.Edition = p.Before.Layout, p.Before.Edition
		}
		if len(p.Rows) > 0 {
			in.Holder = ""
		}
		if p.ComputerName != "" {
			in.Variables = map[string]string{api.VariableComputerName: p.ComputerName}
		}
	}
}

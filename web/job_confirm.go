package web

import (
	"net/http"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// jobConfirm says in words what will be erased, how long it takes and when it
// begins, and asks for the number of sticks where somebody may miss what is lost.
func (s *Web) jobConfirm(w http.ResponseWriter, r *http.Request) error {
	p, f, ok, err := s.chosenJob(w, r)
	if err != nil || !ok {
		return err
	}
	if err := s.estimate(r, &p); err != nil {
		return err
	}
	return s.show(w, r, view.JobConfirm(f, p))
}

// chosenJob reads a form on which sticks were chosen. Without any it shows the
// step before again, and reports that.
func (s *Web) chosenJob(w http.ResponseWriter, r *http.Request) (p view.NewJob, f view.Frame, ok bool, err error) {
	if p, err = s.newJobPage(r); err != nil {
		return p, f, false, err
	}
	f = s.frame(r, "jobs")
	dealt := true
	if len(p.Rows) > 0 {
		if err := p.CheckRows(f); err != nil {
			p.Problem = view.NewProblem(f.L, err)
			s.render(w, r, http.StatusUnprocessableEntity, view.JobNew(f, p))
			return p, f, false, nil
		}
		p.Chosen, dealt = p.Dealt(f)
	}
	switch {
	case !dealt:
		p.Problem = view.NewProblem(f.L, fault.New(fault.KindInvalid, "batch_rows_without_stick"))
	case len(p.Chosen) == 0:
		p.Problem = view.Problem{Field: "device", Sentence: view.ChooseOne(f, p.Kind)}
	case len(p.Chosen) > api.MaxDevices:
		p.Problem = view.Problem{Field: "device", Sentence: view.NewProblem(f.L, fault.New(fault.KindInvalid, api.CodeTooManyDevices, "most", api.MaxDevices)).Sentence}
	default:
		return p, f, true, nil
	}
	s.render(w, r, http.StatusUnprocessableEntity, sticksStep(f, p))
	return p, f, false, nil
}

// estimate asks history how long the job will take.
func (s *Web) estimate(r *http.Request, p *view.NewJob) error {
	in := api.EstimateInput{Kind: p.Kind, Host: p.Host, TaskSequence: p.Sequence, Version: p.Version}
	if p.Kind == protocol.JobWipe {
		in.Wipe = view.WipeOptions(*p)
	}
	for _, d := range p.Chosen {
		in.Bytes = append(in.Bytes, d.Bytes)
	}
	var err error
	p.Estimate, err = s.console.EstimateJob(r.Context(), actorOf(r), in)
	return err
}

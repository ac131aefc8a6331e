package web

import (
	"net/http"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

// jobWhere is the second step of pressing: host and sticks. What was typed on
// the first is checked before.
func (s *Web) jobWhere(w http.ResponseWriter, r *http.Request) error {
	p, err := s.newJobPage(r)
	if err != nil {
		return err
	}
	f := s.frame(r, "jobs")
	if err := checkWhat(r, f, &p); err != nil {
		p.Problem = view.NewProblem(f.L, err)
		return s.again(w, r, err, view.JobNew(f, p))
	}
	p.Deal()
	p.KeepThere()
	return s.show(w, r, view.JobWhere(f, p))
}

// checkWhat checks the first step: the table cell by cell, or the pattern of
// the names.
func checkWhat(r *http.Request, f view.Frame, p *view.NewJob) error {
	if p.Kind != protocol.JobPress {
		return api.ErrKind(p.Kind)
	}
	if !p.ByTable {
		_, err := api.ComputerName(p.ComputerName, 1, p.Reference, p.Holder)
		return err
	}
	if err := readTable(r, p); err != nil {
		return err
	}
	return p.CheckRows(f)
}

// jobWhereLive says whenever the sockets of the hosts are not any more as the page
// shows them; the page asks for itself again then, with what was chosen on it.
func (s *Web) jobWhereLive(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseQueueJob); err != nil {
		return err
	}
	ctx := r.Context()
	updates, err := s.console.WatchHosts(ctx, actorOf(r))
	if err != nil {
		return err
	}
	out := newStream(w)
	last := ""
	follow(ctx, s.log, out, updates, func(hosts []api.Host) error {
		now := view.Print(hosts)
		if now == last {
			return nil
		}
		last = now
		return out.send("changed", "", now)
	})
	return nil
}

// portsOf are the numbered sockets of hosts, by the hosts' IDs.
func (s *Web) portsOf(r *http.Request, hosts []api.Host) (map[string][]api.HostPort, error) {
	ids := make([]string, 0, len(hosts))
	for _, h := range hosts {
		ids = append(ids, h.ID)
	}
	return s.console.PortsOfHosts(r.Context(), actorOf(r), ids)
}

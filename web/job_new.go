package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// jobNew asks what is to be done; pressing asks where on a page of its own
// (job_where.go), the other kinds on this one. A form that was filled in further
// comes back by POST, with everything that was typed.
func (s *Web) jobNew(w http.ResponseWriter, r *http.Request) error {
	p, err := s.newJobPage(r)
	if err != nil {
		return err
	}
	f := s.frame(r, "jobs")
	switch {
	case p.Kind == protocol.JobRaw && r.Method == http.MethodGet:
		p.PreferChannel()
	case p.Kind == protocol.JobPress:
		if err := s.fillFromLast(r, &p); err != nil {
			return err
		}
		if len(p.Rows) > 0 {
			_ = p.CheckRows(f) // the page says it at the cells
		}
	}
	return s.show(w, r, view.JobNew(f, p))
}

// fillFromLast fills a new form in with a job that is to be repeated, or offers
// what this person pressed last.
func (s *Web) fillFromLast(r *http.Request, p *view.NewJob) error {
	if r.Method != http.MethodGet {
		return nil
	}
	if id := r.Form.Get("repeat"); id != "" {
		job, err := s.console.GetJob(r.Context(), actorOf(r), id)
		if err != nil {
			return err
		}
		p.Repeat(job)
		return nil
	}
	if len(p.Requests) > 0 && p.Version == "" && !p.ByTable {
		p.Answer()
		return nil
	}
	begun := len(p.Chosen) > 0 || p.Version != "" || p.Holder != ""
	p.PreferChannel()
	if begun {
		return nil
	}
	last, err := s.console.LastJob(r.Context(), actorOf(r), protocol.JobPress)
	switch {
	case err == nil:
		p.Last = &last
	case fault.From(err).Kind != fault.KindNotFound:
		return err
	}
	return nil
}

// jobNames says what sticks will be called, for a form while it is typed in.
func (s *Web) jobNames(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseQueueJob); err != nil {
		return err
	}
	text := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	return s.show(w, r, view.NamePreview(s.frame(r, "jobs"), text("computer_name"), text("reference"), text("holder")))
}

// jobBefore finds the job that a form repeats. One that is not there, or was no
// press, is forgotten.
func (s *Web) jobBefore(ctx context.Context, a api.Actor, p *view.NewJob) (*api.Job, error) {
	id := p.Fields[view.FieldBefore]
	if id == "" {
		return nil, nil //nolint:nilnil // nothing is repeated
	}
	job, err := s.console.GetJob(ctx, a, id)
	if err == nil && job.Kind == protocol.JobPress {
		return &job, nil
	}
	if err != nil && fault.From(err).Kind != fault.KindNotFound {
		return nil, err
	}
	delete(p.Fields, view.FieldBefore)
	return nil, nil //nolint:nilnil // as above
}

// newJobPage reads what was chosen so far and what there is to choose from.
func (s *Web) newJobPage(r *http.Request) (view.NewJob, error) {
	ctx, actor := r.Context(), actorOf(r)
	if err := needs(r, api.UseQueueJob); err != nil {
		return view.NewJob{}, err
	}
	p, err := readJob(r)
	if err != nil {
		return p, err
	}
	if p.Kind == protocol.JobCapture {
		list, err := s.console.GetExclusions(ctx, actor)
		if err != nil {
			return p, err
		}
		p.Fields["exclude"] = cmp.Or(p.Fields["exclude"], strings.TrimSpace(list.List))
	}
	if err := s.requested(r, &p); err != nil {
		return p, err
	}
	if p.Before, err = s.jobBefore(ctx, actor, &p); err != nil {
		return p, err
	}
	images, err := s.console.ListImages(ctx, actor, api.ImageFilter{}, api.Page{Limit: api.MaxPage})
	if err != nil {
		return p, err
	}
	p.Images = images.Items
	ids := make([]string, 0, len(images.Items))
	for _, image := range images.Items {
		ids = append(ids, image.ID)
	}
	versions, err := s.console.NewestVersions(ctx, actor, ids)
	if err != nil {
		return p, err
	}
	p.Versions = view.Fitting(p.Kind, versions)
	// What a channel points to comes first, the newest of it first of all: it
	// is what should be handed out.
	slices.SortFunc(p.Versions, func(a, b api.Version) int {
		return cmp.Or(cmp.Compare(len(b.Channels), len(a.Channels)), b.PublishedAt.Compare(a.PublishedAt), cmp.Compare(b.ID, a.ID))
	})
	sequences, err := s.console.ListTaskSequences(ctx, actor, api.ShelfFilter{}, api.Page{Limit: api.MaxPage})
	if err != nil {
		return p, err
	}
	p.Sequences = sequences.Items
	hosts, err := s.console.ListHosts(ctx, actor, api.HostFilter{}, api.Page{Limit: api.MaxPage})
	if err != nil {
		return p, err
	}
	p.Hosts = slices.DeleteFunc(hosts.Items, func(h api.Host) bool { return h.State != "enrolled" })
	if p.Host == "" && len(p.Hosts) > 0 {
		// The one that the list shows first, unless another one is there now.
		i := max(0, slices.IndexFunc(p.Hosts, func(h api.Host) bool { return h.Online }))
		p.Host = p.Hosts[i].ID
	}
	if p.Host != "" {
		p.Ports, err = s.console.GetHostPorts(ctx, actor, p.Host)
	}
	if err == nil && (p.Kind != protocol.JobPress || r.Method == http.MethodPost) { // the page with the hosts shows all of them
		p.PortsOf, err = s.portsOf(r, p.Hosts)
	}
	return p, err
}

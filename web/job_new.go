package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// jobNew asks what is to be built and where: first image, task sequence and
// host, then the sticks of that host.
func (s *Web) jobNew(w http.ResponseWriter, r *http.Request) error {
	p, err := s.newJobPage(r)
	if err != nil {
		return err
	}
	return s.show(w, r, view.JobNew(s.frame(r, "jobs"), p))
}

// jobConfirm says in words what will be erased and asks for the number of
// sticks.
func (s *Web) jobConfirm(w http.ResponseWriter, r *http.Request) error {
	p, err := s.newJobPage(r)
	if err != nil {
		return err
	}
	f := s.frame(r, "jobs")
	if len(p.Chosen) == 0 {
		p.Problem = view.Problem{Field: "device", Sentence: f.T("job_new.choose_one")}
		s.render(w, r, http.StatusUnprocessableEntity, view.JobNew(f, p))
		return nil
	}
	return s.show(w, r, view.Confirm(f, p))
}

func (s *Web) jobQueue(w http.ResponseWriter, r *http.Request) error {
	p, err := s.newJobPage(r)
	if err != nil {
		return err
	}
	f := s.frame(r, "jobs")
	count, _ := strconv.Atoi(strings.TrimSpace(r.PostFormValue("count")))
	if p.Kind.Writes() && count != len(p.Chosen) {
		p.Problem = view.Problem{Field: "count", Sentence: f.T("job_new.count_wrong", "count", len(p.Chosen))}
		s.render(w, r, http.StatusUnprocessableEntity, view.Confirm(f, p))
		return nil
	}
	in := api.QueueJobInput{
		Kind: p.Kind, Host: p.Host, Overrides: p.Overrides, Reference: p.Reference, Holder: p.Holder, IdempotencyKey: r.PostFormValue("key"),
	}
	fillJob(&in, p)
	for _, d := range p.Chosen {
		in.Devices = append(in.Devices, api.QueueDevice{Identity: d})
	}
	job, err := s.console.QueueJob(r.Context(), actorOf(r), in)
	if err != nil {
		p.Problem = view.NewProblem(f.L, err)
		if p.Kind == protocol.JobCapture {
			return s.again(w, r, err, view.JobNew(f, p))
		}
		return s.again(w, r, err, view.Confirm(f, p))
	}
	return see(w, r, "/jobs/"+job.ID)
}

// fillJob puts what the form of a kind asks for into the request.
func fillJob(in *api.QueueJobInput, p view.NewJob) {
	switch p.Kind { //nolint:exhaustive // the form offers no other, see newJobPage
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
		in.Version, in.TaskSequence = p.Version, p.Sequence
		in.Options.EraseFirst = p.Fields["erase_first"] != ""
		if p.ComputerName != "" {
			in.Variables = map[string]string{"computer_name": p.ComputerName}
		}
	}
}

// newJobPage reads what was chosen so far and what there is to choose from.
func (s *Web) newJobPage(r *http.Request) (view.NewJob, error) {
	ctx, actor := r.Context(), actorOf(r)
	if err := needs(r, api.UseQueueJob); err != nil {
		return view.NewJob{}, err
	}
	if err := r.ParseForm(); err != nil {
		return view.NewJob{}, fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	p := view.NewJob{
		Kind: protocol.JobKind(r.Form.Get("kind")).OrPress(), Fields: map[string]string{},
		Version: r.Form.Get("version"), Host: r.Form.Get("host"), Sequence: r.Form.Get("sequence"),
		Reference: strings.TrimSpace(r.Form.Get("reference")), Holder: strings.TrimSpace(r.Form.Get("holder")),
		ComputerName: strings.TrimSpace(r.Form.Get("computer_name")),
		Key:          r.Form.Get("key"),
		Overrides:    r.PostForm["override"],
	}
	fields, ok := view.JobFields[p.Kind]
	if !ok {
		return p, fault.New(fault.KindInvalid, api.CodeKindUnknown, "kind", p.Kind).At("kind")
	}
	for _, name := range fields {
		p.Fields[name] = strings.TrimSpace(r.Form.Get(name))
	}
	if p.Kind == protocol.JobCapture {
		list, err := s.console.GetExclusions(ctx, actor)
		if err != nil {
			return p, err
		}
		p.Fields["exclude"] = cmp.Or(p.Fields["exclude"], strings.TrimSpace(list.List))
	}
	if p.Key == "" {
		p.Key = requestID()
	}
	for _, raw := range r.Form["device"] {
		var id protocol.Identity
		if err := json.Unmarshal([]byte(raw), &id); err != nil {
			return p, fault.Wrap(err, fault.KindInvalid, "form_unreadable")
		}
		p.Chosen = append(p.Chosen, id)
	}
	images, err := s.console.ListImages(ctx, actor, api.ImageFilter{}, api.Page{Limit: api.MaxPage})
	if err != nil {
		return p, err
	}
	for _, image := range images.Items {
		p.Images = append(p.Images, image.Name)
		versions, err := s.console.ListVersions(ctx, actor, api.VersionFilter{Image: image.ID}, api.Page{})
		if err != nil {
			return p, err
		}
		p.Versions = append(p.Versions, slices.DeleteFunc(versions.Items, func(v api.Version) bool { return v.State == "withdrawn" })...)
	}
	p.Versions = view.Fitting(p.Kind, p.Versions)
	// What a channel points to comes first, the newest of it first of all: it
	// is what should be handed out.
	slices.SortStableFunc(p.Versions, func(a, b api.Version) int {
		return cmp.Or(cmp.Compare(len(b.Channels), len(a.Channels)), b.PublishedAt.Compare(a.PublishedAt))
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
	return p, nil
}

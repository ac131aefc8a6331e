package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// How often a job's page hears of what changes all the time.
const (
	nowEvery      = time.Second      // bars, rates, what is left: a few bytes per stick
	timelineEvery = 10 * time.Second // the drawing of all steps
)

// jobLive streams a job's page: its head, what changed of each stick, what
// moves, and new lines of the logs. It begins with what the page does not have
// yet: after is the seq of the last line that it shows.
func (s *Web) jobLive(w http.ResponseWriter, r *http.Request) error {
	var after int64
	if seen := cmp.Or(r.Header.Get("Last-Event-ID"), r.FormValue("after")); seen != "" {
		var err error
		if after, err = strconv.ParseInt(seen, 10, 64); err != nil || after < 0 {
			return fault.Wrap(err, fault.KindInvalid, "form_unreadable")
		}
	}
	x, err := s.jobRun(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	updates, err := s.console.WatchJob(ctx, actorOf(r), chi.URLParam(r, "id"), after)
	if err != nil {
		return err
	}
	out := &jobStream{stream: newStream(w), f: s.frame(r, "jobs"), page: *x, due: map[string]time.Time{}}
	follow(ctx, s.log, out.stream, updates, func(u api.JobUpdate) error { return out.show(ctx, u) })
	return nil
}

// jobStream is the stream of one job's page.
type jobStream struct {
	*stream
	f    view.Frame
	page view.JobRun // without an update: what the reader wants to see
	due  map[string]time.Time
	// begun says that an update was shown. Before that the page is as it was
	// after its last line: what has no event since then is known to it.
	begun bool
}

// changed reports whether the page may not have a build as it is, or with an
// empty ID the job.
func (s *jobStream) changed(u *api.JobUpdate, build string) bool {
	return s.begun || slices.ContainsFunc(u.Events, func(e api.JobEvent) bool { return build == "" || e.BuildID == build })
}

// part sends a part that changed; of one that did not, it only notes how it
// looks.
func (s *jobStream) part(ctx context.Context, changed bool, name string, still, c templ.Component) error {
	if changed {
		return s.replaceIf(ctx, name, still, c)
	}
	html, err := rendered(ctx, name, still)
	if err == nil {
		s.known(name, html)
	}
	return err
}

// dueAgain reports whether something is due that is sent once in a while.
func (s *jobStream) dueAgain(name string, every time.Duration) bool {
	now := time.Now()
	if now.Before(s.due[name]) {
		return false
	}
	s.due[name] = now.Add(every)
	return true
}

func (s *jobStream) show(ctx context.Context, u api.JobUpdate) error {
	page := s.page
	page.JobUpdate = u
	x, f := &page, s.f
	still := x.Still()
	changed := s.changed(&u, "")
	// What moves is no reason to replace a part; a part that is replaced has it.
	if err := s.part(ctx, changed, "job", view.JobHead(f, still.Job), view.JobHead(f, u.Job)); err != nil {
		return err
	}
	for _, p := range []view.Part{
		{Name: "facts", Component: view.JobFacts(f, u.Job)}, {Name: "commands", Component: view.JobCommandList(f, x.URL, u.Job)},
	} {
		if err := s.part(ctx, changed, p.Name, p.Component, p.Component); err != nil {
			return err
		}
	}
	for i, b := range u.Job.Builds {
		if err := s.stick(ctx, x, still, i, s.changed(&u, b.ID)); err != nil {
			return err
		}
	}
	s.begun = true
	if n := len(u.Events); n > 0 {
		// One event for all logs: it arrives as a whole or not at all.
		last := strconv.FormatInt(u.Events[n-1].Seq, 10)
		if err := s.add(ctx, "log", last, view.JobNewLines(f, x)); err != nil {
			return err
		}
	}
	if u.Job.Ended() || s.dueAgain("timeline", timelineEvery) {
		if err := s.replace(ctx, "timeline", view.BuildStrips(f, f.T("job.timeline"), view.StripsOf(f, u.Job, time.Now()))); err != nil {
			return err
		}
	}
	if u.Job.Ended() {
		return s.send("ended", "", "ended")
	}
	if !s.dueAgain("now", nowEvery) {
		return nil
	}
	return s.send("now", "", view.Now(f, u.Job))
}

// stick sends what changed of one stick.
func (s *jobStream) stick(ctx context.Context, x, still *view.JobRun, i int, changed bool) error {
	f, b, was := s.f, x.Job.Builds[i], still.Job.Builds[i]
	at := strconv.Itoa(b.Position)
	if err := s.part(ctx, changed, "line-"+at, view.JobStickLine(f, still.Job, was), view.JobStickLine(f, x.Job, b)); err != nil {
		return err
	}
	if err := s.part(ctx, changed, "stick-"+at, view.JobStickBody(f, still, was), view.JobStickBody(f, x, b)); err != nil {
		return err
	}
	for _, p := range x.StepLines(f, b) {
		if err := s.part(ctx, changed, p.Name, p.Component, p.Component); err != nil {
			return err
		}
	}
	return nil
}

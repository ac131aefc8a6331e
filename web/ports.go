package web

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// blinkSeconds is how long a stick flashes: long enough to walk up to it.
const blinkSeconds = 15

func (s *Web) ports(w http.ResponseWriter, r *http.Request) error { return s.portsWith(w, r, nil) }

func (s *Web) portsWith(w http.ResponseWriter, r *http.Request, problem error) error {
	h, err := s.console.GetHost(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	p, err := s.console.GetHostPorts(r.Context(), actorOf(r), h.ID)
	if err != nil {
		return err
	}
	page := view.Ports(s.frame(r, "hosts"), h, p, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) calibrationStart(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	first, _ := strconv.Atoi(r.PostFormValue("number")) // 0 is refused
	if _, err := s.console.StartCalibration(r.Context(), actorOf(r), id, r.PostFormValue("hub"), first); err != nil {
		return s.portsWith(w, r, err)
	}
	return see(w, r, "/hosts/"+id+"/ports")
}

func (s *Web) calibrationStep(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	if _, err := s.console.StepCalibration(r.Context(), actorOf(r), id, api.CalibrationStep(chi.URLParam(r, "step"))); err != nil {
		return s.portsWith(w, r, err)
	}
	return see(w, r, "/hosts/"+id+"/ports")
}

// hostIdentify lets a stick flash. A page that must not lose what was chosen on
// it asks by script, and gets a sentence.
func (s *Web) hostIdentify(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseIdentifyDevice); err != nil {
		return err
	}
	var id protocol.Identity
	if err := json.Unmarshal([]byte(r.PostFormValue("device")), &id); err != nil {
		return fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	host := chi.URLParam(r, "id")
	err := s.console.IdentifyDevice(r.Context(), actorOf(r), host, id, blinkSeconds)
	asked := localeOf(r).T("device.blink_asked", "port", id.Port)
	switch {
	case byScript(r) && err != nil:
		return s.show(w, r, view.BlinkSaid(view.NewProblem(localeOf(r), err).Sentence))
	case byScript(r):
		return s.show(w, r, view.BlinkSaid(asked))
	case err != nil:
		return s.hostWith(w, r, err)
	}
	s.flash(r, asked)
	return see(w, r, "/hosts/"+host)
}

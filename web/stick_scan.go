package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// mostScans is how many scans of a sitting are kept, the newest.
const mostScans = 100

// stickScan is where sticks are handed out and taken back with a scanner.
func (s *Web) stickScan(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseIssueStick); err != nil {
		return err
	}
	return s.show(w, r, view.Scan(s.frame(r, "sticks"), s.sitting(r)))
}

// stickScanned does what a scan asks for. It answers with the page of the
// sitting: what was refused is in its list, too, and nothing is typed again.
func (s *Web) stickScanned(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseIssueStick); err != nil {
		return err
	}
	in := api.ScanStickInput{
		Code: r.PostFormValue("code"), Act: r.PostFormValue("act"),
		Holder: r.PostFormValue("holder"), Reference: r.PostFormValue("reference"),
	}
	out, err := s.console.ScanStick(r.Context(), actorOf(r), in)
	f := fault.From(err)
	if err != nil && f.Kind == fault.KindInternal {
		return err
	}
	sitting := s.sitting(r)
	sitting.Act, sitting.Holder, sitting.Reference = in.Act, in.Holder, in.Reference
	if err == nil || f.Code != api.CodeScanEmpty {
		item := view.ScanItem{At: time.Now(), Act: in.Act, Code: view.CutCode(in.Code), Seq: out.Seq}
		if out.Stick.ID != "" {
			item.Stick, item.Name, item.Life = out.Stick.ID, api.ShortName(out.Stick.ID), out.Stick.Life
			item.Holder, item.DataOpen = out.Stick.Holder, out.Stick.Data == api.DataOpen
		}
		if err != nil {
			item.Fault, item.Params = string(f.Code), f.Params
		}
		sitting.Items = append([]view.ScanItem{item}, sitting.Items[:min(len(sitting.Items), mostScans-1)]...)
	}
	if err := s.keepSitting(r, sitting); err != nil {
		return err
	}
	return see(w, r, "/sticks/scan")
}

// stickScanUndo takes one of the sitting's scans back.
func (s *Web) stickScanUndo(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseUndoStickMove); err != nil {
		return err
	}
	seq, err := strconv.ParseInt(r.PostFormValue("seq"), 10, 64)
	if err != nil {
		return fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	id := r.PostFormValue("stick")
	_, err = s.console.UndoStickMove(r.Context(), actorOf(r), id, seq)
	f := fault.From(err)
	if err != nil && f.Kind != fault.KindConflict {
		return err
	}
	sitting := s.sitting(r)
	for i := range sitting.Items {
		if x := &sitting.Items[i]; x.Stick == id && x.Seq == seq {
			x.Undone = err == nil
			if err != nil {
				x.NotUndone = string(f.Code)
			}
		}
	}
	if err := s.keepSitting(r, sitting); err != nil {
		return err
	}
	return see(w, r, "/sticks/scan")
}

// stickScanClear begins a new sitting.
func (s *Web) stickScanClear(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseIssueStick); err != nil {
		return err
	}
	s.sessions.Remove(r.Context(), keyScans)
	return see(w, r, "/sticks/scan")
}

// sitting is what was scanned since somebody sat down; it lies in the session.
func (s *Web) sitting(r *http.Request) view.ScanSitting {
	var sitting view.ScanSitting
	raw := s.sessions.GetBytes(r.Context(), keyScans)
	if len(raw) == 0 || json.Unmarshal(raw, &sitting) != nil {
		return view.ScanSitting{Act: api.ScanIssue}
	}
	return sitting
}

func (s *Web) keepSitting(r *http.Request, sitting view.ScanSitting) error {
	raw, err := json.Marshal(sitting)
	if err == nil {
		s.sessions.Put(r.Context(), keyScans, raw)
	}
	return err
}

package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) images(w http.ResponseWriter, r *http.Request) error {
	return s.imagesWith(w, r, view.Publish{Channel: api.DefaultChannel}, nil)
}

// imagesWith shows the list with the upload form as it was filled in.
func (s *Web) imagesWith(w http.ResponseWriter, r *http.Request, p view.Publish, problem error) error {
	narrowing, images, err := narrowed(s, r, "images", api.ImageFields, func(f api.ImageFilter, p api.Page) (api.List[api.Image], error) {
		return s.console.ListImages(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	var open []api.Inspection
	if actorOf(r).Can(api.UsePublishVersion) {
		if open, err = s.console.OpenInspections(r.Context(), actorOf(r)); err != nil {
			return err
		}
	}
	p.Problem = view.NewProblem(localeOf(r), problem)
	page := view.Images(s.frame(r, "images"), narrowing, images, open, p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// imagePublish makes an uploaded file a version. With JavaScript the file is
// already here and the form names its upload; without, the form carries the
// file, which is streamed into the store as it arrives. One that is still being
// looked into becomes a version when that is done, and has a page until then.
func (s *Web) imagePublish(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UsePublishVersion); err != nil { // before gigabytes are read
		return err
	}
	p, err := s.readPublish(r)
	if err != nil {
		return s.publishAgain(w, r, p, err)
	}
	in := api.PublishVersionInput{UploadID: p.Upload, Image: p.Image, Version: p.Version, Commit: p.Commit, Channel: p.Channel}
	version, waits, err := s.console.Publish(r.Context(), actorOf(r), in)
	if err != nil {
		return s.publishAgain(w, r, p, err)
	}
	if waits != nil {
		return see(w, r, view.InspectionPath(waits.UploadID, p.Back))
	}
	s.flash(r, localeOf(r).T("image.published", "image", version.ImageName, "version", version.Version))
	if p.Back != "" {
		return see(w, r, p.Back)
	}
	return see(w, r, "/versions/"+version.ID)
}

// publishAgain says what went wrong where the file was uploaded: in the set-up, as
// long as that is open, or above the images.
func (s *Web) publishAgain(w http.ResponseWriter, r *http.Request, p view.Publish, problem error) error {
	if p.Back == "" {
		return s.imagesWith(w, r, p, problem)
	}
	page, err := s.firstRunPage(r, api.FirstRunImage)
	if err != nil {
		return err
	}
	if page.Run.FinishedAt != nil {
		p.Back = ""
		return s.imagesWith(w, r, p, problem)
	}
	p.Problem = view.NewProblem(localeOf(r), problem)
	page.Publish = p
	return s.again(w, r, problem, view.FirstRun(s.frame(r, "overview"), page))
}

// maxField bounds a text field of the multipart form, in bytes.
const maxField = 4 << 10

func (s *Web) readPublish(r *http.Request) (view.Publish, error) {
	var p view.Publish
	parts, err := r.MultipartReader()
	if err != nil {
		return p, fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p, fault.Wrap(err, fault.KindInvalid, "upload_broken")
		}
		if part.FormName() == "file" && part.FileName() != "" {
			up, err := s.receive(r.Context(), actorOf(r), part.FileName(), part)
			if err != nil {
				return p, err
			}
			p.Upload = up.ID
			continue
		}
		if err := readField(&p, part); err != nil {
			return p, err
		}
	}
	if p.Upload == "" {
		return p, fault.New(fault.KindInvalid, "upload_missing").At("file")
	}
	return p, nil
}

func readField(p *view.Publish, part *multipart.Part) error {
	raw, err := io.ReadAll(io.LimitReader(part, maxField))
	if err != nil {
		return fault.Wrap(err, fault.KindInvalid, "upload_broken")
	}
	switch value := string(raw); part.FormName() {
	case "upload":
		p.Upload = value
	case "back":
		p.Back = setUpAt(value)
	case "image":
		p.Image = value
	case "version":
		p.Version = value
	case "commit":
		p.Commit = value
	case "channel":
		p.Channel = value
	}
	return nil
}

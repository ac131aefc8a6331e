package rest_test

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (w *world) images() {
	s := w.s
	i := decode[api.Image](w.t, w.ok(201, post(s, admin, "/images", wire.CreateImage{Name: "win11-ent"})), 201)
	w.no(409, "name_taken", post(s, admin, "/images", wire.CreateImage{Name: "win11-ent"}))
	w.ok(200, get(s, viewer, "/images"))
	w.no(422, "request_invalid", get(s, viewer, "/images?limit=0"))
	w.ok(200, get(s, viewer, "/images/"+i.ID))
	w.no(404, "image_not_found", get(s, viewer, "/images/nope"))

	v := s.Publish(w.t, "win11-ent", "1.0.0")
	publish := wire.PublishVersion{SHA256: v.SHA256, Image: "win11-ent", Version: "1.1.0", Notes: "newer"}
	a := w.ok(201, post(s, admin, "/versions", publish))
	newer := decode[api.Version](w.t, a, 201)
	if l := a.header.Get("Location"); l != rest.Prefix+"/versions/"+newer.ID {
		w.t.Errorf("Location is %q", l)
	}
	w.no(409, "version_exists", post(s, admin, "/versions", publish))
	w.no(403, "forbidden", post(s, helpdesk, "/versions", publish))
	w.ok(200, get(s, viewer, "/versions"))
	if l := decode[api.List[api.Version]](w.t, w.ok(200, get(s, viewer, "/versions?image=win11-ent")), 200); len(l.Items) != 2 {
		w.t.Errorf("%d versions, want 2", len(l.Items))
	}
	w.no(404, "image_not_found", get(s, viewer, "/versions?image=nope"))
	w.ok(200, get(s, viewer, "/versions/"+v.ID))
	w.no(404, "image_version_not_found", get(s, viewer, "/versions/nope"))
	w.ok(200, get(s, viewer, "/images/win11-ent/versions/1.1.0"))
	w.no(404, "image_version_not_found", get(s, viewer, "/images/win11-ent/versions/9.0.0"))

	disk, err := s.Upload(w.t, "rescue.img.zst", apitest.DiskImage(w.t, "zstd -q -o out disk"))
	if err != nil {
		w.t.Fatal(err)
	}
	image := decode[api.Version](w.t, w.ok(201, post(s, admin, "/versions", wire.PublishVersion{UploadID: disk.ID, Image: "rescue", Version: "1.0.0"})), 201)
	blocks := wire.SetBlockMap{BlockMap: string(apitest.DiskImage(w.t, "bmaptool -q create disk -o out")), Trusted: true}
	mapped := decode[api.Version](w.t, w.ok(200, put(s, admin, "/versions/"+image.ID+"/block-map", blocks)), 200)
	if mapped.Disk == nil || mapped.Disk.Bytes != apitest.DiskBytes || mapped.BlockMap == nil || !mapped.BlockMap.Trusted {
		w.t.Errorf("version %+v", mapped)
	}
	w.no(422, "no_disk_image", put(s, admin, "/versions/"+v.ID+"/block-map", blocks))
	w.no(403, "forbidden", put(s, helpdesk, "/versions/"+image.ID+"/block-map", blocks))

	w.ok(200, get(s, viewer, "/images/win11-ent/channels"))
	w.no(404, "image_not_found", get(s, viewer, "/images/nope/channels"))
	w.ok(200, put(s, admin, "/images/win11-ent/channels/testing", wire.SetChannel{Version: "1.1.0"}))
	w.no(404, "image_version_not_found", put(s, admin, "/images/win11-ent/channels/testing", wire.SetChannel{Version: "9.0.0"}))
	got := decode[api.Version](w.t, w.ok(200, get(s, viewer, "/images/win11-ent/channels/testing/version")), 200)
	if got.Version != "1.1.0" {
		w.t.Errorf("testing is %s, want 1.1.0", got.Version)
	}
	w.no(404, "channel_not_found", get(s, viewer, "/images/win11-ent/channels/beta/version"))
	w.ok(200, get(s, viewer, "/images/win11-ent/channels/testing"))
	w.no(404, "channel_not_found", get(s, viewer, "/images/win11-ent/channels/beta"))

	w.no(409, "version_in_channel", post(s, admin, "/versions/"+newer.ID+"/withdrawals", wire.Reason{Reason: "bad"}))
	w.ok(200, put(s, admin, "/images/win11-ent/channels/testing", wire.SetChannel{Version: v.ID}))
	w.ok(200, post(s, admin, "/versions/"+newer.ID+"/withdrawals", nil))
}

func (w *world) uploads() {
	s := w.s
	tus := map[string]string{"Tus-Resumable": "1.0.0"}
	upload := func(method, path, token string, more ...string) ask {
		q := ask{method: method, path: path, token: token, header: map[string]string{"Tus-Resumable": "1.0.0"}}
		for i := 0; i < len(more); i += 2 {
			q.header[more[i]] = more[i+1]
		}
		return q
	}
	raw := string(apitest.WIM(w.t))
	token, size := s.Token(admin), strconv.Itoa(len(raw))
	meta := "filename " + base64.StdEncoding.EncodeToString([]byte("a.wim"))
	w.ok(200, ask{method: "OPTIONS", path: "/uploads/", token: s.Token(viewer), header: tus})
	w.no(403, "forbidden", upload("POST", "/uploads/", s.Token(helpdesk), "Upload-Length", size))
	begin := upload("POST", "/uploads/", token, "Upload-Length", size, "Upload-Metadata", meta)
	path := strings.TrimPrefix(w.ok(201, begin).header.Get("Location"), rest.Prefix)
	w.ok(200, upload("HEAD", path, token))
	w.no(403, "", upload("HEAD", path, s.Token(helpdesk)))
	w.no(403, "forbidden", get(s, helpdesk, path))
	patch := upload("PATCH", path, token, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	patch.body = raw
	wrong := patch
	wrong.header = map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "7", "Content-Type": "application/offset+octet-stream"}
	w.no(409, "upload_offset_mismatch", wrong)
	w.ok(204, patch)
	u := decode[api.Upload](w.t, w.ok(200, get(s, admin, path)), 200)
	if u.State != "ready" || u.FileName != "a.wim" || len(u.Editions) != 3 {
		w.t.Errorf("upload is %+v", u)
	}
	other := strings.TrimPrefix(w.ok(201, begin).header.Get("Location"), rest.Prefix)
	w.ok(204, upload("DELETE", other, token))
	w.no(404, "upload_not_found", upload("DELETE", other, token))
}

func (w *world) templates() {
	s := w.s
	source := s.StarterTemplate()
	t := decode[api.Template](w.t, w.ok(201, post(s, admin, "/templates", wire.SaveTemplate{Name: "Lab", Source: source})), 201)
	w.no(422, "template_wrong_root", post(s, admin, "/templates", wire.SaveTemplate{Name: "Bad", Source: "<unattend/>"}))
	w.ok(200, get(s, viewer, "/templates"))
	w.no(422, "request_invalid", get(s, viewer, "/templates?limit=x"))
	w.ok(200, get(s, viewer, "/templates/Lab"))
	w.no(404, "template_not_found", get(s, viewer, "/templates/nope"))
	w.ok(200, put(s, admin, "/templates/Lab", wire.SaveTemplate{Name: "Lab", Description: "2", Source: source}))
	w.no(404, "template_not_found", put(s, admin, "/templates/nope", wire.SaveTemplate{Name: "Lab", Source: source}))
	w.ok(200, get(s, viewer, "/templates/"+t.ID+"/versions"))
	w.no(404, "template_not_found", get(s, viewer, "/templates/nope/versions"))
	a := w.ok(200, get(s, admin, "/templates/"+t.ID+"/source"))
	if string(a.body) != source || a.header.Get("Content-Type") != "application/xml" {
		w.t.Errorf("source is %s, %.80s", a.header.Get("Content-Type"), a.body)
	}
	w.no(403, "forbidden", get(s, viewer, "/templates/"+t.ID+"/source"))
	w.ok(200, post(s, admin, "/template-checks", wire.CheckTemplate{Source: source}))
	w.no(422, "template_malformed", post(s, admin, "/template-checks", wire.CheckTemplate{Source: "<"}))
	w.rendered(source)

	spec := api.TaskSequenceSpec{Layout: protocol.LayoutGPTUEFI, Edition: 1, BootSignature: protocol.BootSignature2011}
	body := wire.SaveTaskSequence{Name: "UEFI", Spec: spec, Template: "Lab"}
	w.ok(201, post(s, admin, "/task-sequences", body))
	w.no(409, "name_taken", post(s, admin, "/task-sequences", body))
	w.ok(200, get(s, viewer, "/task-sequences"))
	w.no(422, "request_invalid", get(s, viewer, "/task-sequences?x=1"))
	w.ok(200, get(s, viewer, "/task-sequences/UEFI"))
	w.no(404, "task_sequence_not_found", get(s, viewer, "/task-sequences/nope"))
	w.ok(200, get(s, viewer, "/default-task-sequence"))
	w.ok(200, put(s, admin, "/task-sequences/UEFI", body))
	body.Spec.Layout = "zip"
	w.no(422, "layout_unknown", put(s, admin, "/task-sequences/UEFI", body))
}

// rendered compares two versions of a template and renders one.
func (w *world) rendered(source string) {
	s, path := w.s, "/templates/Lab"
	changed := strings.Replace(source, "<settings", "<!-- {{ticket}} -->\n<settings", 1)
	changed = strings.Replace(changed, "{{computer_name}}", "{{computer_name}}{{suffix}}", 1)
	w.ok(200, put(s, admin, path, wire.SaveTemplate{Name: "Lab", Source: changed}))
	d := decode[api.TemplateDiff](w.t, w.ok(200, get(s, admin, path+"/comparison")), 200)
	if d.From.Number != 1 || d.To.Number != 2 || len(d.Rows) == 0 || !strings.Contains(d.Unified, "--- Lab version 1\n+++ Lab version 2\n@@ -") {
		w.t.Errorf("%+v", d)
	}
	if same := decode[api.TemplateDiff](w.t, w.ok(200, get(s, admin, path+"/comparison?from=2&to="+d.To.ID)), 200); len(same.Rows) != 0 || same.Unified != "" {
		w.t.Errorf("%+v", same)
	}
	w.no(404, "template_version_not_found", get(s, admin, path+"/comparison?from=9"))
	w.no(403, "forbidden", get(s, helpdesk, path+"/comparison"))

	order := wire.RenderTemplate{ExternalRef: api.Ticket("INC-1"), Holder: "Ann", Variables: map[string]string{"computer_name": "PC-{n:02}", "suffix": "&"}}
	r := decode[api.Rendering](w.t, w.ok(200, post(s, admin, path+"/renderings", order)), 200)
	if r.TemplateVersionID != d.To.ID || r.Number != 2 || !strings.Contains(r.AnswerFile, "PC-01&amp;") || !strings.Contains(r.AnswerFile, "<!-- {{ticket}} -->") {
		w.t.Errorf("%+v", r)
	}
	order.Variables["sufix"] = "x"
	slip := wantProblem(w.t, send(w.t, s, post(s, admin, path+"/renderings", order)), 422, "template_variable_unasked")
	if slip.Params["name"] != "sufix" || slip.Params["known"] != "computer_name, suffix" {
		w.t.Errorf("%+v", slip.Params)
	}
	delete(order.Variables, "sufix")
	delete(order.Variables, "suffix")
	f := wantProblem(w.t, send(w.t, s, post(s, admin, path+"/renderings", order)), 422, "template_unknown_variable")
	if f.Params["name"] != "suffix" || f.Params["line"] == "" {
		w.t.Errorf("%+v", f.Params)
	}
	w.no(404, "template_version_not_found", post(s, admin, "/templates/tplver_01jd6y9k3te0mv8b0g2z5q4w7x/renderings", order))
	w.no(403, "forbidden", post(s, viewer, path+"/renderings", order))
	w.ok(200, put(s, admin, path, wire.SaveTemplate{Name: "Lab", Source: source}))
}

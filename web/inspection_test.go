package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/web/webtest"
)

// A compressed image that a form brings without scripts has a page until it is
// a version, and leads there; one that is none says why.
func TestInspectionForm(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	raw := apitest.DiskImage(t, "zstd -q -o out disk")
	fields := map[string]string{"image": "rescue", "version": "1.0.0", "channel": "stable"}
	p := v.postFile(fields, "rescue.img.zst", raw).want(http.StatusOK)
	page := p.path
	for strings.HasPrefix(p.path, "/inspections/") {
		page = p.path
		p.shows("Upload of rescue.img.zst", "rescue 1.0.0")
		p = v.get(page).want(http.StatusOK)
	}
	p.shows("rescue", "1.0.0", "RAW")
	if strings.HasPrefix(page, "/inspections/") { // it was not published before it could be looked at
		v.do(http.MethodGet, page, "", nil, "HX-Request", "true").want(http.StatusOK).shows("published", "Open the version")
	}
	v.postFile(fields, "rescue.img.zst", raw).want(http.StatusConflict).shows("The file is here already")

	raw[len(raw)-1] ^= 1
	fields["version"] = "2.0.0"
	for p = v.postFile(fields, "bad.img.zst", raw).want(http.StatusOK); strings.Contains(p.text(), "being inspected"); {
		p = v.get(p.path).want(http.StatusOK)
	}
	p.shows("refused", "The image is damaged", "Upload another file")
	v.get("/images").want(http.StatusOK).shows("Uploads that are no version yet", "bad.img.zst")
	signedIn(t, s, "viewer", "en").get("/images").want(http.StatusOK).lacks("bad.img.zst")
	signedIn(t, s, "helpdesk", "en").get(p.path).want(http.StatusForbidden)
}

// While a file is looked into the page says how far that is, and loads itself
// again without scripts.
func TestInspectionRunning(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	err := s.Store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.CreateInspection(t.Context(), "upload-1", "rescue.img.xz", 4<<30, store.System)
		return err
	})
	if err == nil {
		err = s.Store.InspectionAt(t.Context(), "upload-1", 1<<30)
	}
	if err != nil {
		t.Fatal(err)
	}
	for language, words := range map[string][]string{"en": {"being inspected", "this page may be closed"}, "zh-CN": {"检查中"}} {
		v := signedIn(t, s, "admin", language)
		p := v.get("/inspections/upload-1").want(http.StatusOK).shows(append(words, "rescue.img.xz", "25 % · 1 GiB / 4 GiB")...)
		if len(p.all("section", "data-refresh", "/inspections/upload-1")) != 1 || !strings.Contains(p.body, `http-equiv="refresh"`) {
			t.Error("the page does not stay up to date")
		}
		list := v.get("/images").want(http.StatusOK).shows("rescue.img.xz", "25 %", map[string]string{"en": "not said yet", "zh-CN": "尚未指定"}[language])
		if len(list.all("div", "data-refresh", "/images")) != 1 {
			t.Error("the list does not stay up to date")
		}
		v.get("/inspections/none").want(http.StatusNotFound)
	}
}

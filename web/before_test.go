package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// A job that a program queued is pressed again as it was told, also in what no
// form asks for; what is kept can be left out.
func TestAgainKeepsWhatAProgramSaid(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	in := apitest.Order("", scene.Host.ID, scene.Free[0])
	in.Version, in.Layout = scene.Version.ID, protocol.LayoutGPTUEFI
	in.Variables = map[string]string{api.VariableComputerName: "PC-1", "department": "sales"}
	in.Devices[0].Variables = map[string]string{"room": "7"}
	job, err := scene.Site.QueueJob(t.Context(), scene.Site.Admin, in)
	if err == nil {
		job, err = scene.Site.CancelJob(t.Context(), scene.Site.Admin, job.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, scene.Site, "helpdesk", "en")
	again := attr(v.get("/jobs/"+job.ID).want(http.StatusOK).all("a", "id", "job-again")[0], "href")
	for _, keep := range []bool{true, false} {
		form := v.get(again).want(http.StatusOK).shows("As in the earlier job", "gpt-uefi", "variables department, room").fields()
		if !keep {
			form.Del("as_before")
		}
		p := v.post("/jobs/confirm", v.post("/jobs/where", form).want(http.StatusOK).fields()).want(http.StatusOK)
		form = p.fields()
		form.Set("count", "1")
		p = v.post("/jobs", form).want(http.StatusOK).shows("queued")
		next, err := scene.Site.GetJob(t.Context(), scene.Site.Admin, strings.TrimPrefix(p.path, "/jobs/"))
		if err != nil {
			t.Fatal(err)
		}
		vars := next.Builds[0].Variables
		if kept := next.Layout == protocol.LayoutGPTUEFI && vars["department"] == "sales" && vars["room"] == "7"; kept != keep {
			t.Errorf("kept %v: layout %s, variables %v", keep, next.Layout, vars)
		}
		if vars[api.VariableComputerName] != "PC-1" {
			t.Errorf("the computer's name is %q", vars[api.VariableComputerName])
		}
		if _, err := scene.Site.CancelJob(t.Context(), scene.Site.Admin, next.ID); err != nil {
			t.Fatal(err)
		}
	}
	v.get(strings.ReplaceAll(again, job.ID, "job_01jd6y9k3te0mv8b0g2z5q4w7x")).want(http.StatusOK).lacks("As in the earlier job")
}

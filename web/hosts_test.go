package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// Who has no host yet is told where the agent comes from; a host that is not there
// says what to look at.
func TestHostsHelp(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	const from = "The agent is the program stickpress-agent"
	v.get("/hosts").want(http.StatusOK).shows("No hosts yet.", from).check("en")
	signedIn(t, s, "helpdesk", "en").get("/hosts").want(http.StatusOK).shows("an admin enrols it").lacks(from)
	v.post("/hosts/enrol", nil).want(http.StatusOK).shows(from, "Install stickpress-agent on the new host")
	v.post("/first-run/host", nil).want(http.StatusOK).shows(from)

	never := s.Enroll(t, "bench-1")
	v.get("/hosts/"+never.ID).want(http.StatusOK).shows("This host was never connected", "systemctl status stickpress-agent").check("en")
	there, session := s.Connect(t, "bench-2")
	v.get("/hosts/"+there.ID).want(http.StatusOK).lacks("was connected last", "never connected")
	if err := s.HostDisconnected(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	signedIn(t, s, "viewer", "zh-CN").get("/hosts/"+there.ID).want(http.StatusOK).shows("此主机上次连接的时间", "systemctl status stickpress-agent").check("zh-CN")

	v.get("/task-sequences/new").want(http.StatusOK).shows("Without one Windows asks everything")
}

// The sticks of a host stand in the order of its sockets, as where they are chosen.
func TestHostSocketsInOrder(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	there, _ := s.Connect(t, "bench-1", apitest.Stick("1-10"), apitest.Stick("1-2"))
	p := signedIn(t, s, "viewer", "en").get("/hosts/" + there.ID).want(http.StatusOK)
	if text := p.text(); strings.Index(text, "1-2 ") > strings.Index(text, "1-10 ") {
		t.Errorf("1-10 stands before 1-2:\n%s", text)
	}
}

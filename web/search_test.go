package web_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/web/webtest"
)

// The search finds pages and actions in the reader's language, what the console
// has, and only what the reader may do.
func TestSearch(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	people := map[string]*visitor{}
	find := func(login, locale, text string) *page {
		v := people[login+locale]
		if v == nil {
			v = signedIn(t, s.Site, login, locale)
			people[login+locale] = v
		}
		return v.get("/search?" + url.Values{"q": {text}}.Encode()).want(http.StatusOK)
	}
	for _, c := range []struct{ login, locale, text, leads string }{
		{"viewer", "en", "hosts", "/hosts"},
		{"viewer", "zh-CN", "主机", "/hosts"},
		{"viewer", "en", "INC-1042", "/jobs/" + s.Failed.ID},
		{"viewer", "en", s.Failed.ID, "/jobs/" + s.Failed.ID},
		{"viewer", "en", "4C530001221", "/sticks/" + s.Failed.Builds[1].StickID},
		{"viewer", "en", "bench-1", "/hosts/" + s.Host.ID},
		{"viewer", "en", "win11", "/images/win11-ent"},
		{"helpdesk", "en", "press st", "/jobs/new"},
		{"admin", "en", "enrol", "/hosts"},
	} {
		p := find(c.login, c.locale, c.text)
		if list := p.all("div", "class", "found"); len(list) != 1 || !strings.Contains(p.body[strings.Index(p.body, `class="found"`):], `href="`+c.leads+`"`) {
			t.Errorf("%s looks for %q and is not led to %s:\n%s", c.login, c.text, c.leads, p.text())
		}
	}
	// What a job does is said, whether it is found by a word or by its ID.
	for _, text := range []string{s.Wiped.ID, s.Wiped.ExternalRef.ID} {
		find("viewer", "en", text).shows("Wipe: 1 stick")
		find("viewer", "zh-CN", text).shows("擦除：1 个启动盘")
	}
	find("viewer", "en", "INC-1042").lacks("Press")
	find("viewer", "en", "press sticks").shows("Nothing is called")
	find("viewer", "en", `<img src=x onerror=alert(1)>`).shows(`Nothing is called “<img src=x onerror=alert(1)>”.`)
	if part := find("viewer", "en", "bench").body; !strings.Contains(part, "<html") {
		t.Error("the search is no page")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/search?q=bench", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("HX-Request", "true")
	resp, err := people["vieweren"].client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	list, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(list), "/hosts/"+s.Host.ID) || strings.Contains(string(list), "<html") {
		t.Errorf("the palette gets %s (%v)", list, err)
	}
}

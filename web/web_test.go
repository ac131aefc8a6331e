package web_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/stickpress/stickpress/api/oidc/oidctest"
	"github.com/stickpress/stickpress/store/storetest"
	"github.com/stickpress/stickpress/web/webtest"
)

func TestMain(m *testing.M) { storetest.Main(m, oidctest.Cleanup) }

// visitor is a browser without JavaScript: it keeps cookies, follows links
// and holds every page to the rules of check_test.go.
type visitor struct {
	t      *testing.T
	url    string
	locale string
	client *http.Client
}

func visit(t *testing.T, s *webtest.Site, locale string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, url: s.URL, locale: locale, client: &http.Client{Jar: jar}}
}

// signedIn is a visitor who used a one-time link.
func signedIn(t *testing.T, s *webtest.Site, login, locale string) *visitor {
	t.Helper()
	v := visit(t, s, locale)
	link, err := url.Parse(s.Link(t, login))
	if err != nil {
		t.Fatal(err)
	}
	v.post("/sign-in/link", link.Query()).want(http.StatusOK)
	return v
}

// page is what a visitor sees.
type page struct {
	t      *testing.T
	base   *url.URL // after redirects
	path   string   // of base, with the query
	status int
	header http.Header
	body   string
	doc    *html.Node
}

func (v *visitor) get(path string) *page { return v.do(http.MethodGet, path, "", nil) }

func (v *visitor) post(path string, form url.Values) *page {
	return v.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// do sends a request; headers come as name, value pairs.
func (v *visitor) do(method, path, kind string, body io.Reader, headers ...string) *page {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", v.locale)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return v.send(req)
}

// send sends a request of any kind. Pages of others are not held to our rules.
func (v *visitor) send(req *http.Request) *page {
	v.t.Helper()
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	p := &page{t: v.t, base: resp.Request.URL, path: resp.Request.URL.RequestURI(), status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		if p.doc, err = html.Parse(strings.NewReader(p.body)); err != nil {
			v.t.Fatal(err)
		}
		if strings.HasPrefix(p.base.String(), v.url+"/") {
			p.check(v.locale)
		}
	}
	return p
}

func (p *page) want(status int) *page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("%s: status %d, want %d\n%s", p.path, p.status, status, p.text())
	}
	return p
}

// shows fails unless the page has the text.
func (p *page) shows(texts ...string) *page {
	p.t.Helper()
	have := p.text()
	for _, want := range texts {
		if !strings.Contains(have, want) {
			p.t.Errorf("%s does not show %q:\n%s", p.path, want, have)
		}
	}
	return p
}

func (p *page) lacks(texts ...string) *page {
	p.t.Helper()
	have := p.text()
	for _, no := range texts {
		if strings.Contains(have, no) {
			p.t.Errorf("%s shows %q", p.path, no)
		}
	}
	return p
}

// text is what the page shows, with single spaces.
func (p *page) text() string {
	if p.doc == nil {
		return p.body
	}
	var b strings.Builder
	for n := range p.doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			b.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// all lists the elements with this tag and, if name is not empty, attribute.
func (p *page) all(tag, name, value string) []*html.Node {
	var found []*html.Node
	for n := range p.doc.Descendants() {
		if n.Type == html.ElementNode && (tag == "" || n.Data == tag) && (name == "" || attr(n, name) == value) {
			found = append(found, n)
		}
	}
	return found
}

// value is what a form's field holds.
func (p *page) value(name string) string {
	p.t.Helper()
	for n := range p.doc.Descendants() {
		if n.Type != html.ElementNode || attr(n, "name") != name {
			continue
		}
		switch n.Data {
		case "textarea":
			if n.FirstChild == nil {
				return ""
			}
			return n.FirstChild.Data
		case "select":
			for o := range n.Descendants() {
				if has(o, "selected") {
					return attr(o, "value")
				}
			}
			return ""
		}
		if attr(n, "type") == "radio" && !has(n, "checked") {
			continue
		}
		return attr(n, "value")
	}
	p.t.Fatalf("%s has no field %s", p.path, name)
	return ""
}

// links are the pages of this console that the page leads to.
func (p *page) links() []string {
	var all []string
	for n := range p.doc.Descendants() {
		if to := attr(n, "href"); n.Data == "a" && strings.HasPrefix(to, "/") && !has(n, "download") {
			all = append(all, to)
		}
	}
	return all
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

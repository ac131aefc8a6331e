package api_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

func TestReadFilter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query   string
		want    api.JobFilter
		unknown []string
		back    string
	}{
		{"", api.JobFilter{}, nil, ""},
		{"state=failed&host=bench-1", api.JobFilter{State: "failed", HostID: "bench-1"}, nil, "host=bench-1&state=failed"},
		{"state=&q=", api.JobFilter{}, nil, ""},
		{"state=a&state=b", api.JobFilter{State: "a"}, nil, "state=a"},
		{"color=red&STATE=failed&from=2026-11-27", api.JobFilter{From: "2026-11-27"}, []string{"STATE", "color"}, "from=2026-11-27"},
		{"q=%3Cscript%3E&holder=%25", api.JobFilter{Search: "<script>", Holder: "%"}, nil, "holder=%25&q=%3Cscript%3E"},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		f, unknown := api.ReadFilter(api.JobFields, query)
		if f != c.want || !slices.Equal(unknown, c.unknown) {
			t.Errorf("%s is %+v, unknown %q", c.query, f, unknown)
		}
		if back := api.WriteFilter(api.JobFields, &f).Encode(); back != c.back {
			t.Errorf("%s is written as %s", c.query, back)
		}
	}
}

// Every field of every list has a name of its own, and values that it does not
// have are refused at that name, by the use case and so at every door.
func TestFiltersRefuse(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	long := strings.Repeat("x", 201)
	jobs := func(x api.JobFilter) error {
		_, err := f.ListJobs(t.Context(), f.Viewer, x, api.Page{})
		return err
	}
	sticks := func(x api.StickFilter) error {
		_, err := f.ListSticks(t.Context(), f.Viewer, x, api.Page{})
		return err
	}
	for _, c := range []struct {
		err   error
		code  fault.Code
		field string
	}{
		{jobs(api.JobFilter{State: "broken"}), api.CodeFilterChoice, "state"},
		{jobs(api.JobFilter{Kind: "press'--"}), api.CodeFilterChoice, "kind"},
		{jobs(api.JobFilter{HostID: "nowhere"}), "host_not_found", "host"},
		{jobs(api.JobFilter{HostID: unknownHost}), "host_not_found", "host"},
		{jobs(api.JobFilter{SiteID: "Nowhere"}), "site_not_found", "site"},
		{jobs(api.JobFilter{ImageID: "none"}), "image_not_found", "image"},
		{jobs(api.JobFilter{VersionID: "1.0.0"}), "image_version_not_found", "version"},
		{jobs(api.JobFilter{From: "yesterday"}), api.CodeFilterDay, "from"},
		{jobs(api.JobFilter{To: "2026-13-01"}), api.CodeFilterDay, "to"},
		{jobs(api.JobFilter{Search: long}), api.CodeFilterText, "q"},
		{jobs(api.JobFilter{Reference: "a\x00b"}), api.CodeFilterText, "reference"},
		{sticks(api.StickFilter{State: "x"}), api.CodeFilterChoice, "state"},
		{sticks(api.StickFilter{Life: "x"}), api.CodeFilterChoice, "life"},
		{sticks(api.StickFilter{Serial: "\n"}), api.CodeFilterText, "serial"},
		{refusal(f.ListHosts(t.Context(), f.Viewer, api.HostFilter{OS: "beos"}, api.Page{})), api.CodeFilterChoice, "os"},
		{refusal(f.ListHosts(t.Context(), f.Viewer, api.HostFilter{State: "revoked"}, api.Page{After: "bench-1"})), api.CodeCursorInvalid, "cursor"},
		{refusal(f.ListVersions(t.Context(), f.Viewer, api.VersionFilter{Format: "zip"}, api.Page{})), api.CodeFilterChoice, "format"},
		{refusal(f.ListVersions(t.Context(), f.Viewer, api.VersionFilter{Image: "none"}, api.Page{})), "image_not_found", "image"},
		{refusal(f.ListImages(t.Context(), f.Viewer, api.ImageFilter{Search: long}, api.Page{})), api.CodeFilterText, "q"},
		{refusal(f.ListTemplates(t.Context(), f.Viewer, api.ShelfFilter{State: "gone"}, api.Page{})), api.CodeFilterChoice, "state"},
		{refusal(f.ListTaskSequences(t.Context(), f.Viewer, api.ShelfFilter{State: "gone"}, api.Page{})), api.CodeFilterChoice, "state"},
		{refusal(f.ListSites(t.Context(), f.Viewer, api.ShelfFilter{State: "gone"}, api.Page{})), api.CodeFilterChoice, "state"},
		{refusal(f.ListTokens(t.Context(), f.Admin, api.TokenFilter{Owner: "nobody"}, api.Page{})), "user_not_found", "owner"},
		{refusal(f.ListTokens(t.Context(), f.Admin, api.TokenFilter{Role: "king"}, api.Page{})), api.CodeFilterChoice, "role"},
	} {
		var refused *fault.Error
		if !errors.As(c.err, &refused) || refused.Code != c.code || refused.Field != c.field {
			t.Errorf("%v, want %s at %s", c.err, c.code, c.field)
		}
	}
}

func refusal[T any](_ T, err error) error { return err }

// A list is the same whichever way one goes through it.
func TestPagesLeadBack(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		must[api.Image](t)(f.CreateImage(t.Context(), f.Admin, api.CreateImageInput{Name: name}))
		must[api.NewToken](t)(f.CreateToken(t.Context(), f.Admin, api.CreateTokenInput{Name: name, Role: api.RoleViewer}))
	}
	images := func(p api.Page) ([]string, api.List[api.Image]) {
		l := must[api.List[api.Image]](t)(f.ListImages(t.Context(), f.Viewer, api.ImageFilter{}, p))
		var names []string
		for _, i := range l.Items {
			names = append(names, i.Name)
		}
		return names, l
	}
	tokens := func(p api.Page) ([]string, api.List[api.Token]) {
		l := must[api.List[api.Token]](t)(f.ListTokens(t.Context(), f.Admin, api.TokenFilter{}, p))
		var names []string
		for _, i := range l.Items {
			names = append(names, i.Name)
		}
		return names, l
	}
	leadBack(t, images)
	leadBack(t, tokens)
}

func leadBack[T any](t *testing.T, list func(api.Page) ([]string, api.List[T])) {
	t.Helper()
	var there [][]string
	names, l := list(api.Page{Limit: 2})
	if l.Prev != "" {
		t.Error("something lies before the first page")
	}
	there = append(there, names)
	for l.Next != "" {
		names, l = list(api.Page{Limit: 2, After: l.Next})
		there = append(there, names)
	}
	if len(there) != 3 || len(names) != 1 {
		t.Fatalf("the pages are %q", there)
	}
	for i := len(there) - 2; i >= 0; i-- {
		names, l = list(api.Page{Limit: 2, Before: l.Prev})
		if !slices.Equal(names, there[i]) || l.Next == "" || (l.Prev == "") != (i == 0) {
			t.Errorf("page %d is %q on the way back, and was %q; before it %q", i, names, there[i], l.Prev)
		}
	}
}

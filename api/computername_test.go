package api_test

import (
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

func TestComputerName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, reference, holder string
		n                          int
		want                       string
		code                       fault.Code
	}{
		{"", "", "", 1, "", ""},
		{"*", "", "", 1, "*", ""},
		{" PC-7 ", "", "", 1, "PC-7", ""},
		{"NB-{ticket}-{n:02}", "INC-1041", "", 3, "NB-INC-1041-03", ""},
		{"NB-{n}", "", "", 12, "NB-12", ""},
		{"NB-{n:2}", "", "", 7, "NB-07", ""},
		{"{user}", "", "Grace Hopper", 1, "GraceHopper", ""},
		{"{user}-{n}", "", "王芳", 1, "", "computer_name_invalid"},
		{"{user}", "", "Zoë Müller-Groß", 1, "ZoeMuller-Gross", ""},
		{"{user}-{n}", "", "Łukasz Ørsted", 1, "LukaszOrsted-1", ""},
		{"NB-{ticket}-{n:02}", "INC-104142", "", 3, "", "computer_name_invalid"}, // 16 characters
		{"123", "", "", 1, "", "computer_name_invalid"},
		{"-a", "", "", 1, "", "computer_name_invalid"},
		{"a-", "", "", 1, "", "computer_name_invalid"},
		{"a b", "", "", 1, "", "computer_name_invalid"},
		{"<img src=x>", "", "", 1, "", "computer_name_invalid"},
		{"NB-{x}", "", "", 1, "", "computer_name_pattern"},
		{"NB-{n:0}", "", "", 1, "", "computer_name_pattern"},
		{"NB-{n", "", "", 1, "", "computer_name_pattern"},
		{"NB-}", "", "", 1, "", "computer_name_pattern"},
	} {
		got, err := api.ComputerName(c.pattern, c.n, c.reference, c.holder)
		if c.code != "" {
			wantFault(t, err, c.code)
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%q is %q (%v), want %q", c.pattern, got, err, c.want)
		}
	}
}

func FuzzComputerName(f *testing.F) {
	for _, p := range []string{"NB-{ticket}-{n:02}", "{", "{{n}}", "{user}{user}", "*", "{n:9}"} {
		f.Add(p, 3, "INC-7", "Ada")
	}
	f.Fuzz(func(t *testing.T, pattern string, n int, reference, holder string) {
		name, err := api.ComputerName(pattern, n, reference, holder)
		if err == nil && (len(name) > api.MaxComputerName || strings.ContainsAny(name, "{} <>\"'&")) {
			t.Errorf("%q makes %q", pattern, name)
		}
	})
}

// A pattern of the job names each stick; what is equal is refused before
// anything is queued.
func TestQueuedComputerNames(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	a, b := apitest.Stick("a"), apitest.Stick("b")
	f.Connect(t, "bench", a, b)
	in := apitest.Order("win11-ent", "bench", a, b)
	in.ExternalRef, in.Variables = api.Ticket("INC-7"), map[string]string{"computer_name": "NB-{n}"}
	in.Devices[1].ExternalRef, in.Devices[1].Variables = api.Ticket("INC-8"), map[string]string{"computer_name": "nb-{n:01}"}
	in.Devices[1].Variables["computer_name"] = "NB-1"
	_, err := f.QueueJob(t.Context(), f.Helpdesk, in)
	wantFault(t, err, "computer_name_twice")
	in.Devices[1].Variables["computer_name"] = "{ticket}-{n}"
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	if x, y := job.Builds[0].Variables["computer_name"], job.Builds[1].Variables["computer_name"]; x != "NB-1" || y != "INC-8-2" {
		t.Errorf("the sticks are called %s and %s", x, y)
	}
	if p := job.Variables["computer_name"]; p != "NB-{n}" {
		t.Errorf("the job's pattern is %s", p)
	}
}

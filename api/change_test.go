package api_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	list := []string{strings.Repeat("a", 120), strings.Repeat("b", 60), strings.Repeat("c", 60)}
	long := strings.Repeat("é", 300)
	for _, c := range []struct {
		before, after string
		want          []api.Change
	}{
		{"", "", nil},
		{"", `{"name":"a","revision":1,"id":"x","empty":"","none":null}`, []api.Change{{Field: "name", After: "a"}}},
		{`{"name":"a"}`, `{"name":"a"}`, nil},
		{`{"name":"a","kept":1}`, `{"name":"b"}`, []api.Change{{Field: "name", Before: "a", After: "b"}}}, // of kept nothing is noted
		{`{"sites":["x","y"]}`, `{"sites":[]}`, []api.Change{{Field: "sites", Before: "x, y"}}},
		{`{"holder":"Ada"}`, `{"holder":null}`, []api.Change{{Field: "holder", Before: "Ada"}}},
		{`{"fields":{"layout":"mbr-dual","edition":1}}`, `{"fields":{"layout":"gpt-uefi","edition":1}}`, []api.Change{{Field: "fields.layout", Before: "mbr-dual", After: "gpt-uefi"}}},
		{`{"vars":{"a":"1","b":"2"}}`, `{"vars":{"b":"2"}}`, []api.Change{{Field: "vars.a", Before: "1"}}},
		{"", `{"ports":[{"hub":"A","number":1},{"hub":"A","number":2}]}`, []api.Change{
			{Field: "ports.1.hub", After: "A"}, {Field: "ports.1.number", After: "1"}, {Field: "ports.2.hub", After: "A"}, {Field: "ports.2.number", After: "2"},
		}},
		{`{"session":"s"}`, "", []api.Change{{Field: "session", Before: "s"}}}, // gone
		{`{"big":9007199254740993}`, `{"big":9007199254740994}`, []api.Change{{Field: "big", Before: "9007199254740993", After: "9007199254740994"}}},
		{"", `{"list":["` + list[0] + `","` + list[1] + `","` + list[2] + `"]}`, []api.Change{{Field: "list", After: list[0] + ", " + list[1] + ", …"}}}, // whole entries
		{"", `{"x":"` + long + `"}`, []api.Change{{Field: "x", After: long[:2*200] + "…"}}},
	} {
		if got := api.Changes(json.RawMessage(c.before), json.RawMessage(c.after)); !slices.Equal(got, c.want) {
			t.Errorf("%s → %s: %+v, want %+v", c.before, c.after, got, c.want)
		}
	}
}

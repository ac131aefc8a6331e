package web_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
	"github.com/stickpress/stickpress/web/webtest"
)

// goFields is above values that are named as Go does; the page spells them anew.
const goFields = "fields."

// What a scene changes has words in the audit log; places in a list are counted.
func TestChangesHaveWords(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	page, seen := api.Page{Limit: api.MaxPage}, 0
	for more := true; more; {
		l := must[api.List[api.AuditEntry]](t)(scene.ListAudit(t.Context(), scene.Admin, api.AuditFilter{}, page))
		for _, e := range l.Items {
			for _, c := range api.Changes(e.Before, e.After) {
				if strings.HasPrefix(c.Field, goFields) {
					continue
				}
				seen++
				for part := range strings.SplitSeq(c.Field, ".") {
					_, err := strconv.Atoi(part)
					if err != nil && !locale.English.Has("field."+strings.ToLower(part)) {
						t.Errorf("%s changes %s, and %s has no words", e.Action, c.Field, part)
					}
				}
			}
		}
		page.After, more = l.Next, l.Next != ""
	}
	if seen < 50 {
		t.Errorf("only %d values were changed", seen)
	}
}

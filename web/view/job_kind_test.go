package view

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/web/locale"
)

// Every kind of job has all its words.
func TestKindWords(t *testing.T) {
	t.Parallel()
	for _, k := range protocol.JobKinds {
		w := wordsOf[k]
		for what, key := range map[string]string{
			"title": w.title, "hint": w.hint, "chooseOne": w.chooseOne, "confirmTitle": w.confirmTitle,
			"plan": w.plan, "cancelHint": w.cancelHint, "notDone": w.notDone, "again": w.again,
		} {
			if !locale.English.Has(key) {
				t.Errorf("%s: %s is %q", k, what, key)
			}
		}
	}
}

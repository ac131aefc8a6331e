package stick

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// Erased first, nothing of what a stick held before is left on it: it was
// discarded, or is zeros where it cannot be.
func TestEraseFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		erase, discards bool
		old             bool // bytes are left
	}{
		"as it is":      {old: true},
		"zeroed":        {erase: true},
		"discarded":     {erase: true, discards: true},
		"discards only": {discards: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPattern(50)
			target, d, r := p.stick(t, 3*512)
			target.EraseFirst = c.erase
			d.Forgets = true
			if !c.discards {
				d.Fail(sticktest.Discard, 1, errors.ErrUnsupported)
			}
			if o := Press(t.Context(), p, []Target{target})[0]; o.Err != nil {
				t.Fatal(o.Err)
			}
			p.check(t, d)
			old, gap := bytes.Repeat([]byte{sticktest.Old}, 512), make([]byte, 512)
			left := false
			for at := int64(0); at < d.Size(); at += 512 {
				d.Peek(gap, at)
				left = left || bytes.Equal(gap, old)
			}
			if left != c.old {
				t.Errorf("bytes of before are on the stick: %v", left)
			}
			if r.done != r.total {
				t.Errorf("%d of %d", r.done, r.total)
			}
		})
	}
}

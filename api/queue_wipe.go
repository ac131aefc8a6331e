package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// planWipe plans a protocol.JobWipe. It takes any stick that may be written;
// what is not said is the best that the stick can do, and two passes where
// that is an overwrite.
func planWipe(_ *store.Questions, in *QueueJobInput, p *plan) decision {
	return func(context.Context, store.Reader) (func(*protocol.Device) error, error) {
		o := protocol.WipeOptions{}
		if in.Options.Wipe != nil {
			o = *in.Options.Wipe
		}
		o.Method, o.Passes = cmp.Or(o.Method, protocol.WipeAuto), cmp.Or(o.Passes, protocol.MaxWipePasses)
		if !slices.Contains(protocol.WipeMethods, o.Method) || o.Passes < 1 || o.Passes > protocol.MaxWipePasses {
			return nil, fault.New(fault.KindInvalid, CodeWipeInvalid, "method", o.Method, "passes", o.Passes).At("options.wipe")
		}
		p.job.Options = protocol.JobOptions{Wipe: &o}
		return func(*protocol.Device) error { return nil }, nil
	}
}

package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) stickDataRoutes() {
	type answer struct {
		Stick string `path:"stick" doc:"ID of a stick."`
		Body  wire.SettleStickData
	}
	op := action("/sticks/{stick}/data-answers", "settle_stick_data", "sticks", "Say what becomes of the data on a stick that came back")
	op.Description = "Until then the stick is neither pressed nor wiped (stick_data_open). A capture of it, and a verification that finds it as it was pressed, say so by themselves."
	register(s, op, func(ctx context.Context, a api.Actor, in *answer) (*found[api.Stick], error) {
		v, err := s.console.SettleStickData(ctx, a, api.SettleStickDataInput{
			Stick: in.Stick, Data: in.Body.Data, Signer: in.Body.Signer, Reason: in.Body.Reason,
		})
		return foundOf(v, v.Revision, err)
	})
}

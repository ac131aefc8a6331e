package rest

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

func (s *REST) stickRoutes() {
	list(s, get("/sticks", "list_sticks", "sticks", "Sticks, newest first"), api.StickFields, s.console.ListSticks)

	type one struct {
		Stick string `path:"stick" doc:"ID of a stick."`
	}
	register(s, get("/sticks/{stick}", "get_stick", "sticks", "A stick and what it carries"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.Stick], error) {
			v, err := s.console.GetStick(ctx, a, in.Stick)
			return foundOf(v, v.Revision, err)
		})

	type history struct {
		Stick string `path:"stick" doc:"ID of a stick."`
		After int64  `query:"after" minimum:"0" doc:"Only events after this seq."`
	}
	op := get("/sticks/{stick}/history", "stick_history", "sticks", "A stick's events, oldest first")
	op.Description = "At most 200; go on with the last one's seq in after."
	register(s, op, func(ctx context.Context, a api.Actor, in *history) (*whole[api.StickEvent], error) {
		return itemsOf(s.console.StickEvents(ctx, a, in.Stick, in.After))
	})

	op = post("/sticks/{stick}/returns", "return_stick", "sticks", "Say that a stick is back from whoever had it (helpdesk)", http.StatusOK)
	op.Description = "What is on it stays: from now on it is pressed for nobody else before it is wiped. To return it again changes nothing."
	register(s, op, func(ctx context.Context, a api.Actor, in *one) (*found[api.Stick], error) {
		v, err := s.console.ReturnStick(ctx, a, in.Stick)
		return foundOf(v, v.Revision, err)
	})
	op = get("/sticks/{stick}/record", "stick_record", "sticks", "What a stick is compared with")
	op.Description = "A file for \"stickpress-agent verify --record\": the ranges that were written when the stick was pressed, and their hashes."
	register(s, op, func(ctx context.Context, a api.Actor, in *one) (*plain[protocol.RecordFile], error) {
		return plainOf(s.console.StickRecord(ctx, a, in.Stick))
	})
	s.certificateRoutes()
}

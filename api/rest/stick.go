package rest

import (
	"context"

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
		Paging
		Stick string `path:"stick" doc:"ID of a stick."`
	}
	op := get("/sticks/{stick}/history", "stick_history", "sticks", "A stick's events, oldest first")
	op.Description = "The cursor is the seq of the last event that was seen."
	register(s, op, func(ctx context.Context, a api.Actor, in *history) (*listed[api.StickEvent], error) {
		after, err := in.seq()
		if err != nil {
			return nil, err
		}
		events, err := s.console.StickEvents(ctx, a, in.Stick, after)
		return historyOf(&in.Paging, events, func(e *api.StickEvent) int64 { return e.Seq }, err)
	})

	op = action("/sticks/{stick}/returns", "return_stick", "sticks", "Say that a stick is back from whoever had it")
	op.Description = "What is on it stays: from now on it is pressed for nobody else before it is wiped. To return it again changes nothing."
	register(s, op, func(ctx context.Context, a api.Actor, in *one) (*found[api.Stick], error) {
		v, err := s.console.ReturnStick(ctx, a, api.MoveStickInput{ID: in.Stick})
		return foundOf(v, v.Revision, err)
	})
	op = get("/sticks/{stick}/record", "stick_record", "sticks", "What a stick is compared with")
	op.Description = "A file for \"stickpress-agent verify --record\": the ranges that were written when the stick was pressed, and their hashes."
	register(s, op, func(ctx context.Context, a api.Actor, in *one) (*plain[protocol.RecordFile], error) {
		return plainOf(s.console.StickRecord(ctx, a, in.Stick))
	})
	s.stickDataRoutes()
	s.certificateRoutes()
}

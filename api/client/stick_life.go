package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// IssueStick says that somebody has the stick now.
func (c *Client) IssueStick(ctx context.Context, in api.IssueStickInput) (api.Stick, error) {
	return send[api.Stick](ctx, c, call{
		method: http.MethodPost, path: at("sticks", in.ID, "issues"), body: wire.IssueStick{Holder: in.Holder, Reference: in.Reference},
	})
}

// DeclareStickLost says that nobody knows where a stick is; StickTasks has what
// is to be disabled because of that.
func (c *Client) DeclareStickLost(ctx context.Context, in api.MoveStickInput) (api.Stick, error) {
	return c.moveStick(ctx, in, "losses")
}

// StickFound says that a lost stick turned up.
func (c *Client) StickFound(ctx context.Context, in api.MoveStickInput) (api.Stick, error) {
	return c.moveStick(ctx, in, "finds")
}

// RetireStick takes a stick out of use; ReturnStick brings it back.
func (c *Client) RetireStick(ctx context.Context, in api.MoveStickInput) (api.Stick, error) {
	return c.moveStick(ctx, in, "retirements")
}

func (c *Client) moveStick(ctx context.Context, in api.MoveStickInput, noun string) (api.Stick, error) {
	return send[api.Stick](ctx, c, call{method: http.MethodPost, path: at("sticks", in.ID, noun), body: wire.Reason{Reason: in.Reason}})
}

// StickTasks lists what is to be disabled since a stick was lost, the last loss
// last.
func (c *Client) StickTasks(ctx context.Context, id string) ([]api.StickTask, error) {
	l, err := read[wire.Items[api.StickTask]](ctx, c, at("sticks", id, "tasks"), nil)
	return l.Items, err
}

// TickStickTask says that a task is done, or is not after all.
func (c *Client) TickStickTask(ctx context.Context, in api.TickStickTaskInput) (api.StickTask, error) {
	return send[api.StickTask](ctx, c, call{
		method: http.MethodPost, path: at("sticks", in.Stick, "tasks", in.Task, "ticks"), body: wire.TickStickTask{Done: &in.Done},
	})
}

// StickLabels is the label of a stick for what it carries, or none if it may not
// be handed out.
func (c *Client) StickLabels(ctx context.Context, id string) ([]api.Label, error) {
	l, err := read[wire.Items[api.Label]](ctx, c, at("sticks", id, "labels"), nil)
	return l.Items, err
}

// JobLabels are the labels of a job's sticks that may be handed out.
func (c *Client) JobLabels(ctx context.Context, id string) ([]api.Label, error) {
	l, err := read[wire.Items[api.Label]](ctx, c, at("jobs", id, "labels"), nil)
	return l.Items, err
}

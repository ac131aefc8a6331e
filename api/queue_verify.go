package api

import (
	"context"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// planVerify plans a protocol.JobVerify. It takes any stick: which one it is,
// and whether there is a record of it, only its content says.
func planVerify(*store.Questions, *QueueJobInput, *plan) decision {
	return func(context.Context, store.Reader) (func(*protocol.Device) error, error) {
		return func(*protocol.Device) error { return nil }, nil
	}
}

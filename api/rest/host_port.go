package rest

import (
	"cmp"
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// hostPortRoutes are about the sockets of a host: their numbers, and which is
// which.
func (s *REST) hostPortRoutes() {
	type one struct {
		Host string `path:"host" doc:"ID or name of a host."`
	}
	register(s, get("/hosts/{host}/ports", "get_host_ports", "hosts", "The numbers of a host's sockets"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.HostPorts], error) {
			return portsFound(s.console.GetHostPorts(ctx, a, in.Host))
		})

	type set struct {
		Match
		Host string `path:"host" doc:"ID or name of a host."`
		Body wire.SetHostPorts
	}
	register(s, put("/hosts/{host}/ports", "set_host_ports", "hosts", "Replace the numbers of a host's sockets"),
		func(ctx context.Context, a api.Actor, in *set) (*found[api.HostPorts], error) {
			return portsFound(s.console.SetHostPorts(ctx, a, api.SetHostPortsInput{Host: in.Host, Ports: in.Body.Items, Revision: in.revision}))
		})

	type start struct {
		Host string `path:"host" doc:"ID or name of a host."`
		Body *wire.Calibrate
	}
	op := action("/hosts/{host}/calibrations", "start_calibration", "hosts", "Ask for a stick in one socket after the other")
	register(s, op, func(ctx context.Context, a api.Actor, in *start) (*found[api.HostPorts], error) {
		var b wire.Calibrate
		if in.Body != nil {
			b = *in.Body
		}
		return portsFound(s.console.StartCalibration(ctx, a, in.Host, b.Hub, cmp.Or(b.First, 1)))
	})

	type step struct {
		Host string `path:"host" doc:"ID or name of a host."`
		Body wire.StepCalibration
	}
	op = action("/hosts/{host}/calibration-steps", "step_calibration", "hosts", "Undo or skip a number, or finish")
	register(s, op, func(ctx context.Context, a api.Actor, in *step) (*found[api.HostPorts], error) {
		return portsFound(s.console.StepCalibration(ctx, a, in.Host, in.Body.Step))
	})

	type identify struct {
		Host string `path:"host" doc:"ID or name of a host."`
		Body wire.Identify
	}
	op = action("/hosts/{host}/identifications", "identify_device", "hosts", "Let the light of a stick flash")
	op.DefaultStatus = http.StatusNoContent
	register(s, op, func(ctx context.Context, a api.Actor, in *identify) (*struct{}, error) {
		return nil, s.console.IdentifyDevice(ctx, a, in.Host, in.Body.Identity, cmp.Or(in.Body.Seconds, 10))
	})
}

// portsFound answers with the numbers of a host's sockets.
func portsFound(p api.HostPorts, err error) (*found[api.HostPorts], error) {
	return foundOf(p, p.Revision, err)
}

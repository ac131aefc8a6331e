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
		func(ctx context.Context, a api.Actor, in *one) (*plain[api.HostPorts], error) {
			return plainOf(s.console.GetHostPorts(ctx, a, in.Host))
		})

	type set struct {
		Host string `path:"host" doc:"ID or name of a host."`
		Body wire.SetHostPorts
	}
	register(s, put("/hosts/{host}/ports", "set_host_ports", "hosts", "Replace the numbers of a host's sockets (admin)"),
		func(ctx context.Context, a api.Actor, in *set) (*plain[api.HostPorts], error) {
			return plainOf(s.console.SetHostPorts(ctx, a, in.Host, in.Body.Items))
		})

	type start struct {
		Host string `path:"host" doc:"ID or name of a host."`
		Body *wire.Calibrate
	}
	op := post("/hosts/{host}/calibration", "start_calibration", "hosts", "Ask for a stick in one socket after the other (admin)", http.StatusOK)
	register(s, op, func(ctx context.Context, a api.Actor, in *start) (*plain[api.HostPorts], error) {
		var b wire.Calibrate
		if in.Body != nil {
			b = *in.Body
		}
		return plainOf(s.console.StartCalibration(ctx, a, in.Host, b.Hub, cmp.Or(b.First, 1)))
	})

	type step struct {
		Host string              `path:"host" doc:"ID or name of a host."`
		Step api.CalibrationStep `path:"step" enum:"undo,skip,finish"`
	}
	op = post("/hosts/{host}/calibration/{step}", "step_calibration", "hosts", "Undo or skip a number, or finish (admin)", http.StatusOK)
	register(s, op, func(ctx context.Context, a api.Actor, in *step) (*plain[api.HostPorts], error) {
		return plainOf(s.console.StepCalibration(ctx, a, in.Host, in.Step))
	})

	type identify struct {
		Host string `path:"host" doc:"ID or name of a host."`
		Body wire.Identify
	}
	op = post("/hosts/{host}/identify", "identify_device", "hosts", "Let the light of a stick flash (helpdesk)", http.StatusNoContent)
	register(s, op, func(ctx context.Context, a api.Actor, in *identify) (*struct{}, error) {
		return nil, s.console.IdentifyDevice(ctx, a, in.Host, in.Body.Identity, cmp.Or(in.Body.Seconds, 10))
	})
}

package view

import (
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// HostHubs are the sockets of a host, as its port map draws them: those that
// somebody numbered, by hub and number, then the others by the hub that feeds
// them, then virtual sticks. The jobs are the newest of the host: they know how
// far a stick is, and how the last work on it ended. Disks that are no sticks
// are not drawn.
func HostHubs(f Frame, k protocol.JobKind, h api.Host, ports []api.HostPort, jobs []api.Job) []Hub {
	var hubs []Hub
	add := func(name string, s Socket) {
		i := slices.IndexFunc(hubs, func(h Hub) bool { return h.Name == name })
		if i < 0 {
			hubs = append(hubs, Hub{Name: name})
			i = len(hubs) - 1
		}
		hubs[i].Sockets = append(hubs[i].Sockets, s)
	}
	numbered := map[string]bool{}
	for _, p := range ports {
		numbered[p.Socket] = true
		name := f.T("portmap.numbered")
		if p.Hub != "" {
			name = f.T("portmap.hub", "hub", p.Hub)
		}
		number, empty := portLabel(p.Hub, p.Number), true
		for _, d := range h.Devices {
			if d.Socket == p.Socket {
				add(name, deviceSocket(f, k, number, d, jobs))
				empty = false
			}
		}
		if empty {
			add(name, Socket{ID: "socket-" + idOf(p.Socket), Number: number})
		}
	}
	for _, d := range h.Devices {
		if !numbered[d.Socket] || d.Socket == "" {
			if name := unnumbered(f, d); name != "" {
				add(name, deviceSocket(f, k, "", d, jobs))
			}
		}
	}
	return hubs
}

// unnumbered is the row for a device whose socket has no number, or empty for
// what is no stick.
func unnumbered(f Frame, d api.Device) string {
	switch {
	case d.Kind == protocol.KindVirtual:
		return f.T("portmap.virtual")
	case d.Kind != protocol.KindUSB && d.Kind != protocol.KindCard:
		return ""
	case d.Hub != "":
		return f.T("portmap.unnumbered_hub", "hub", d.Hub)
	}
	return f.T("portmap.unnumbered")
}

func deviceSocket(f Frame, k protocol.JobKind, number string, d api.Device, jobs []api.Job) Socket {
	s := Socket{
		ID: "socket-" + anchor(d), Number: number, Port: d.Port,
		Stick: deviceName(f, d.Vendor, d.Model), Serial: d.Serial, Size: locale.Bytes(d.Bytes),
		State: deviceState(d), Reason: deviceReason(f, k, d),
	}
	switch { // what cannot be pressed may do for another kind, and the other way round
	case s.State == "unfit" && s.Reason == "":
		s.State = "ready"
	case s.State == "ready" && s.Reason != "":
		s.State = "unfit"
	}
	if x := d.Refusal(k); d.JobID == "" && x != nil && x.Code == "stick_data_open" {
		s.Settle = d.StickID
	}
	switch {
	case d.JobID != "":
		s.Href = "/jobs/" + d.JobID
	case d.StickID != "":
		s.Href = "/sticks/" + d.StickID
	}
	for i := range jobs {
		for _, b := range jobs[i].Builds {
			if b.ID == d.BuildID {
				s.Done, s.Total = buildDone(jobs[i].Kind, b), shareTotal
				return s
			}
		}
	}
	if s.State == "ready" {
		if last := lastOn(jobs, d); last != "" {
			s.State = last
		}
	}
	return s
}

// lastOn is how the newest of the jobs ended on a device that was not pulled out
// since, or empty.
func lastOn(jobs []api.Job, d api.Device) string {
	for _, j := range jobs { // the newest first
		for _, b := range j.Builds {
			if b.Identity == d.Identity && b.EndedAt != nil {
				return buildState(j.Kind, b.State)
			}
		}
	}
	return ""
}

// deviceReason is why a device cannot be chosen for a kind of job, or empty.
func deviceReason(f Frame, k protocol.JobKind, d api.Device) string {
	switch x := d.Refusal(k); {
	case d.JobID != "":
		return f.T("device.in_job")
	case x != nil && x.Code == "stick_data_open":
		return f.T("data.open")
	case x != nil:
		return f.L.Fault(x.Code, x.Params)
	case d.Busy:
		return f.L.Fault(protocol.FaultDeviceBusy, map[string]string{"path": d.Path})
	}
	return ""
}

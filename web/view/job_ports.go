package view

import (
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// What a port map of a job is for.
type mapUse int

const (
	mapPick    mapUse = iota // a free stick is a box to tick
	mapShow                  // all sticks are drawn
	mapConfirm               // the chosen sticks stand out; of sockets without a number only theirs are drawn
)

// jobHubs is the port map of the host for a job.
func jobHubs(f Frame, p NewJob, use mapUse) []Hub {
	h, _ := p.host()
	h.Devices = api.InOrder(h.Devices, p.Ports.Items)
	at := make(map[string]api.Device, len(h.Devices))
	for _, d := range h.Devices {
		at["socket-"+anchor(d)] = d
	}
	var hubs []Hub
	for _, hub := range HostHubs(f, p.Kind, h, p.Ports.Items, nil) {
		var sockets []Socket
		for _, s := range hub.Sockets {
			d, full := at[s.ID]
			s.Href = ""
			switch chosen := full && p.chosen(d.Identity); {
			case full && use == mapPick:
				s.Name, s.Value, s.BoxID, s.Chosen = "device", identityValue(d.Identity), deviceID(d), chosen
				s.Single = p.Kind == protocol.JobCapture
			case chosen && use == mapConfirm && p.Kind.Writes():
				s.State, s.Reason = "to_erase", ""
			case chosen && use == mapConfirm:
				s.State, s.Reason = "to_read", ""
			case use == mapConfirm && s.Number == "":
				continue
			case use == mapConfirm:
				s.Reason, s.Aside = "", true
			}
			sockets = append(sockets, s)
		}
		if len(sockets) > 0 {
			hubs = append(hubs, Hub{Name: hub.Name, Sockets: sockets})
		}
	}
	return hubs
}

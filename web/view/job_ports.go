package view

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/stickpress/stickpress/api"
)

// inOrder sorts devices as they stand on the port map: by the numbers that were
// taught, then by the kernel's names.
func inOrder(devices []api.Device, ports []api.HostPort) []api.Device {
	place := make(map[string]int, len(ports))
	for i, at := range ports {
		place[at.Socket] = i + 1
	}
	at := func(d api.Device) int {
		if n := place[d.Socket]; n > 0 {
			return n
		}
		return len(ports) + 1
	}
	sorted := slices.Clone(devices)
	slices.SortStableFunc(sorted, func(a, b api.Device) int {
		return cmp.Or(cmp.Compare(at(a), at(b)), comparePorts(a.Port, b.Port), cmp.Compare(a.LUN, b.LUN))
	})
	return sorted
}

// comparePorts compares "1-2.10" and "1-2.9" by their numbers.
func comparePorts(a, b string) int {
	for a != "" && b != "" {
		x, restA, numberA := leading(a)
		y, restB, numberB := leading(b)
		if numberA && numberB {
			if c := cmp.Compare(x, y); c != 0 {
				return c
			}
			a, b = restA, restB
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// leading takes the number that a text begins with.
func leading(s string) (n int, rest string, ok bool) {
	end := 0
	for end < len(s) && end < 9 && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	return n, s[end:], err == nil
}

// What a port map of a job is for.
type mapUse int

const (
	mapPick    mapUse = iota // a free stick is a box to tick
	mapShow                  // all sticks are drawn
	mapConfirm               // of sockets without a number only those with a chosen stick are
)

// jobHubs is the port map of the host for a job.
func jobHubs(f Frame, p NewJob, use mapUse) []Hub {
	h, _ := p.host()
	h.Devices = inOrder(h.Devices, p.Ports.Items)
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
			case chosen && use == mapConfirm:
				s.State, s.Reason = "to_erase", ""
			case use == mapConfirm && s.Number == "":
				continue
			case use == mapConfirm:
				s.Reason = ""
			}
			sockets = append(sockets, s)
		}
		if len(sockets) > 0 {
			hubs = append(hubs, Hub{Name: hub.Name, Sockets: sockets})
		}
	}
	return hubs
}

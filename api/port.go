package api

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// HostPort is the number that is printed on one socket of a host.
type HostPort struct {
	Hub    string `json:"hub,omitempty"` // what tells apart hubs that are numbered alike: "A"
	Number int    `json:"number"`        // as printed, from 1
	Socket string `json:"socket"`        // protocol.Device.Socket
}

// HostPorts is the map of a host's sockets.
type HostPorts struct {
	Items       []HostPort   `json:"items"`
	Calibration *Calibration `json:"calibration,omitempty"` // while one is under way
	// Revision is made of the numbers: the same numbers have the same one.
	Revision int64 `json:"-"`
}

// Calibration waits for a stick in the socket with the number Next.
type Calibration struct {
	Hub       string    `json:"hub,omitempty"`
	First     int       `json:"first"`
	Next      int       `json:"next"`
	Note      string    `json:"note,omitempty"` // what happened last: "found", "known", "several", "undone", "skipped"
	StartedAt time.Time `json:"started_at"`
}

// maxHubName is how long the name of a hub may be, in characters.
const maxHubName = 20

// GetHostPorts returns the numbers of a host's sockets, by hub and number.
// Faults: host_not_found.
func (c *Console) GetHostPorts(ctx context.Context, a Actor, host string) (HostPorts, error) {
	if err := allow(a, UseGetHost); err != nil {
		return HostPorts{}, err
	}
	h, err := findHost(ctx, c.store.Reader, a, host)
	if err != nil {
		return HostPorts{}, err
	}
	rows, err := c.store.HostPorts(ctx, h.ID)
	if err != nil {
		return HostPorts{}, err
	}
	out := HostPorts{Items: make([]HostPort, 0, len(rows)), Revision: portsRevision(rows)}
	for i := range rows {
		out.Items = append(out.Items, hostPortOf(&rows[i]))
	}
	row, err := c.store.Calibration(ctx, h.ID)
	if isNotFound(err, "calibration") {
		return out, nil
	}
	out.Calibration = &Calibration{Hub: row.Hub, First: row.First, Next: row.Next, Note: string(row.Note), StartedAt: row.StartedAt}
	return out, err
}

func hostPortOf(p *store.HostPort) HostPort {
	return HostPort{Hub: p.Hub, Number: p.Number, Socket: p.Socket}
}

// PortsOfHosts returns the numbers of the sockets of some hosts (IDs) at once, by
// the hosts' IDs. Of a host that the actor does not see, or that has none, there is
// nothing. Faults: host_not_found.
func (c *Console) PortsOfHosts(ctx context.Context, a Actor, hosts []string) (map[string][]HostPort, error) {
	if err := allow(a, UseGetHost); err != nil {
		return nil, err
	}
	ids, err := parseAll[store.HostID]("host", hosts)
	if err != nil {
		return nil, err
	}
	sites, err := a.sites()
	if err != nil {
		return nil, err
	}
	rows, err := c.store.PortsOfHosts(ctx, ids, sites)
	out := map[string][]HostPort{}
	for i := range rows {
		host := rows[i].HostID.String()
		out[host] = append(out[host], hostPortOf(&rows[i]))
	}
	return out, err
}

// portsRevision tells two sets of numbers apart; it is positive.
func portsRevision(rows []store.HostPort) int64 {
	h := fnv.New64a()
	for _, p := range rows {
		fmt.Fprintf(h, "%q %d %q\n", p.Hub, p.Number, p.Socket) // a hash takes everything
	}
	return int64(h.Sum64()>>1 | 1) //nolint:gosec // 63 bits
}

// SetHostPortsInput replaces the numbers of a host's sockets.
type SetHostPortsInput struct {
	Host     string // ID or name
	Ports    []HostPort
	Revision int64 // of the numbers as seen; 0 does not check
}

// SetHostPorts replaces the numbers of a host's sockets (admin).
// Faults: host_not_found, port_invalid, port_taken, stale.
func (c *Console) SetHostPorts(ctx context.Context, a Actor, in SetHostPortsInput) (HostPorts, error) {
	if err := allow(a, UseCalibrateHost); err != nil {
		return HostPorts{}, err
	}
	rows := make([]store.HostPort, 0, len(in.Ports))
	var wrong []error
	for i, p := range in.Ports {
		at := fmt.Sprintf("items[%d].", i)
		if err := checkPort(p.Hub, p.Number); err != nil {
			wrong = append(wrong, err.At(at+"number"))
		}
		if p.Socket == "" {
			wrong = append(wrong, fault.New(fault.KindInvalid, store.CodeValueInvalid, "field", "socket").At(at+"socket"))
		}
		rows = append(rows, store.HostPort{Hub: strings.TrimSpace(p.Hub), Number: p.Number, Socket: p.Socket})
	}
	if err := fault.All(wrong...); err != nil {
		return HostPorts{}, err
	}
	return c.changePorts(ctx, a, in.Host, "set", rows, func(tx *store.Tx, h *store.Host) error {
		before, err := tx.LockHostPorts(ctx, h.ID)
		if err != nil {
			return err
		}
		if now := portsRevision(before); seen(in.Revision, now) != now {
			return fault.New(fault.KindStale, store.CodeStale, "kind", "host", "id", h.ID)
		}
		return fault.RenamedTo(tx.SetHostPorts(ctx, h.ID, rows), "items")
	})
}

// StartCalibration begins to ask for a stick in one socket after the other, from
// the number first on (admin): plug one in, and its socket has the number. One
// that is under way begins anew. Faults: host_not_found, port_invalid.
func (c *Console) StartCalibration(ctx context.Context, a Actor, host, hub string, first int) (HostPorts, error) {
	if err := allow(a, UseCalibrateHost); err != nil {
		return HostPorts{}, err
	}
	hub = strings.TrimSpace(hub)
	if err := checkPort(hub, first); err != nil {
		return HostPorts{}, err.At("first")
	}
	return c.changePorts(ctx, a, host, "calibrate", map[string]any{"hub": hub, "first": first}, func(tx *store.Tx, h *store.Host) error {
		_, err := tx.StartCalibration(ctx, h.ID, hub, first, h.Inventory.Devices)
		return err
	})
}

// CalibrationStep is what a person does in a calibration.
type CalibrationStep string

// The steps. Finishing what is not under way changes nothing.
const (
	CalibrationUndo   CalibrationStep = "undo"   // the last number has no socket any more, and is asked for again
	CalibrationSkip   CalibrationStep = "skip"   // no socket has the next number
	CalibrationFinish CalibrationStep = "finish" // the numbers stay
)

// StepCalibration takes a step in a host's calibration (admin).
// Faults: host_not_found, calibration_not_found, value_invalid.
func (c *Console) StepCalibration(ctx context.Context, a Actor, host string, step CalibrationStep) (HostPorts, error) {
	if err := allow(a, UseCalibrateHost); err != nil {
		return HostPorts{}, err
	}
	steps := map[CalibrationStep]func(*store.Tx, context.Context, store.HostID) error{
		CalibrationUndo: (*store.Tx).UndoPort, CalibrationSkip: (*store.Tx).SkipPort, CalibrationFinish: (*store.Tx).FinishCalibration,
	}
	do, ok := steps[step]
	if !ok {
		return HostPorts{}, fault.New(fault.KindInvalid, store.CodeValueInvalid, "field", "step").At("step")
	}
	return c.changePorts(ctx, a, host, string(step), nil, func(tx *store.Tx, h *store.Host) error { return do(tx, ctx, h.ID) })
}

func (c *Console) changePorts(ctx context.Context, a Actor, host, what string, after any, do func(*store.Tx, *store.Host) error) (HostPorts, error) {
	err := c.change(ctx, a, UseCalibrateHost, func(tx *store.Tx, by store.Actor) error {
		h, err := findHost(ctx, tx.Reader, a, host)
		if err != nil {
			return err
		}
		if err := do(tx, &h); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseCalibrateHost), ObjectKind: "host", ObjectID: h.ID.String(),
			After: map[string]any{"step": what, "ports": after},
		})
	})
	if err != nil {
		return HostPorts{}, err
	}
	return c.GetHostPorts(ctx, a, host)
}

func checkPort(hub string, number int) *fault.Error {
	if number < 1 || number > store.MaxPort || utf8.RuneCountInString(hub) > maxHubName {
		return fault.New(fault.KindInvalid, CodePortInvalid, "number", number, "most", store.MaxPort, "letters", maxHubName)
	}
	return nil
}

// portLabels are the labels of a host's sockets.
func portLabels(ctx context.Context, r store.Reader, host store.HostID) (map[string]string, error) {
	ports, err := r.HostPorts(ctx, host)
	return labelsOf(ports), err
}

// labelsOf are the labels of sockets by what the kernel calls them.
func labelsOf(ports []store.HostPort) map[string]string {
	labels := make(map[string]string, len(ports))
	for i := range ports {
		labels[ports[i].Socket] = ports[i].Label()
	}
	return labels
}

// IdentifyDevice lets the light of a device flash for some seconds, so that a
// person finds it (helpdesk). The device is the one that was seen: it shows as
// blinking in the host's inventory while it does.
// Faults: host_not_found, host_offline, identify_unsupported, device_gone,
// device_changed, device_busy, value_invalid.
func (c *Console) IdentifyDevice(ctx context.Context, a Actor, host string, id protocol.Identity, seconds int) error {
	if err := allow(a, UseIdentifyDevice); err != nil {
		return err
	}
	if seconds < 1 || seconds > protocol.MaxIdentifySeconds {
		return fault.New(fault.KindInvalid, store.CodeValueInvalid, "field", "seconds").At("seconds")
	}
	return c.change(ctx, a, UseIdentifyDevice, func(tx *store.Tx, _ store.Actor) error {
		h, err := findHost(ctx, tx.Reader, a, host)
		if err != nil {
			return err
		}
		if !h.Online(c.store.Now(), c.offline) {
			return fault.New(fault.KindConflict, CodeHostOffline, "host", h.Name)
		}
		if !h.Can(protocol.CapIdentify) {
			return fault.New(fault.KindConflict, CodeIdentifyUnsupported, "host", h.Name)
		}
		d, ok := h.Device(id.Port, id.LUN)
		switch {
		case !ok:
			return fault.New(fault.KindConflict, CodeDeviceGone, "port", id.Port)
		case d.Identity != id:
			return fault.New(fault.KindConflict, CodeDeviceChanged, "port", id.Port, "path", d.Path,
				"what", "connection", "want", id.Connection, "have", d.Connection)
		case d.Busy:
			return fault.New(fault.KindConflict, protocol.FaultDeviceBusy, "path", d.Path)
		}
		return tx.AskToIdentify(ctx, h.ID, &protocol.Identify{Identity: id, Seconds: seconds})
	})
}

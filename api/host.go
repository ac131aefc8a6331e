package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// Host is an imaging host.
type Host struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	SiteID       string     `json:"site_id"`
	SiteName     string     `json:"site_name"`
	State        string     `json:"state"` // "enrolled", "revoked"
	Online       bool       `json:"online"`
	UpdateNeeded bool       `json:"update_needed"` // its agent speaks no protocol of ours
	Version      string     `json:"version"`       // of the agent
	OS           string     `json:"os"`
	Arch         string     `json:"arch"`
	Hostname     string     `json:"hostname"`
	Capabilities []string   `json:"capabilities"`
	CacheBytes   int64      `json:"cache_bytes"`
	CacheLimit   int64      `json:"cache_limit"`
	Devices      []Device   `json:"devices"`
	Files        []Device   `json:"files"` // disk images that may be captured
	InventoryAt  *time.Time `json:"inventory_at,omitempty"`
	EnrolledAt   time.Time  `json:"enrolled_at"`
	LastSeenAt   *time.Time `json:"last_seen_at,omitempty"`
	RevokedAt    *time.Time `json:"revoked_at,omitempty"`
	Revision     int64      `json:"revision"`
}

// Device is one device of a host's newest inventory. Its Identity is what a
// confirmation holds and QueueJobInput sends back.
type Device struct {
	protocol.Device
	PortLabel     string `json:"port_label,omitempty"` // printed on its socket: "7", or "A 7" on hub A
	Writable      bool   `json:"writable"`
	CapacityClass int64  `json:"capacity_class"` // bytes, 0 when smaller than the least class
	StickID       string `json:"stick_id,omitempty"`
	// Life and Holder are the stick's, where it is known.
	Life   string `json:"life,omitempty"`
	Holder string `json:"holder,omitempty"`
	// Data is the stick's: while it is DataOpen nothing is written to it.
	Data string `json:"data,omitempty"`
	// Foreign says that it holds what was not pressed by this console.
	Foreign bool `json:"foreign"`
	// JobID and BuildID name the unfinished build of this device, if any.
	JobID   string `json:"job_id,omitempty"`
	BuildID string `json:"build_id,omitempty"`
}

// ChangeHostInput names a host whose place in the inventory ends or changes.
type ChangeHostInput struct {
	ID       string
	Reason   string
	Revision int64 // as seen; 0 does not check
}

// HostFilter narrows ListHosts; empty fields do not.
type HostFilter struct {
	State  string // "online", "offline", "update_needed", or "revoked": the others are enrolled
	SiteID string // or its name
	OS     string
	Search string // what its name holds, whatever its case
}

// HostFields are the fields of a HostFilter.
var HostFields = []Field[HostFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "What its name holds, whatever its case."}, func(f *HostFilter) *string { return &f.Search }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{"online", "offline", "update_needed", stateRevoked}, Doc: "Whether it is there; of those that were revoked, the newest first."}, func(f *HostFilter) *string { return &f.State }},
	{FieldInfo{Name: "site", Kind: FieldThing, Object: "site", Doc: "ID or name of its site."}, func(f *HostFilter) *string { return &f.SiteID }},
	{FieldInfo{Name: "os", Kind: FieldChoice, Values: []string{"linux", "windows"}, Doc: "Its operating system."}, func(f *HostFilter) *string { return &f.OS }},
}

const stateRevoked = string(store.HostRevoked)

// ListHosts lists enrolled hosts by name, with their devices; with
// HostFilter.State those that were revoked, newest first. Faults: those of
// checkFilter, site_not_found.
func (c *Console) ListHosts(ctx context.Context, a Actor, f HostFilter, p Page) (List[Host], error) {
	if err := allow(a, UseListHosts); err != nil {
		return List[Host]{}, err
	}
	if err := checkFilter(HostFields, &f); err != nil {
		return List[Host]{}, err
	}
	query := store.HostFilter{OS: f.OS, Search: f.Search, Page: p.byName(), Status: store.HostStatus{
		Name: f.State, Since: c.store.Now().Add(-c.offline), Oldest: protocol.MinVersion, Newest: protocol.Version,
	}}
	var err error
	if query.Sites, err = c.scope(ctx, a, f.SiteID); err != nil {
		return List[Host]{}, err
	}
	n := c.names()
	view := func(h *store.Host) (Host, error) { return c.hostOf(ctx, n, h) }
	if f.State == stateRevoked {
		before, after, limit, err := byID[store.HostID](p)
		if err != nil {
			return List[Host]{}, err
		}
		rows, err := c.store.RevokedHosts(ctx, query, store.HostPage{Before: before, After: after, Limit: limit})
		if err != nil {
			return List[Host]{}, err
		}
		return listOf(p, rows, view, func(h store.Host) string { return h.ID.String() })
	}
	rows, err := c.store.Hosts(ctx, query)
	if err != nil {
		return List[Host]{}, err
	}
	return listOf(p, rows, view, func(h store.Host) string { return h.Name })
}

// GetHost returns a host by ID or, of enrolled ones, by name.
// Faults: host_not_found.
func (c *Console) GetHost(ctx context.Context, a Actor, ref string) (Host, error) {
	if err := allow(a, UseGetHost); err != nil {
		return Host{}, err
	}
	h, err := findHost(ctx, c.store.Reader, a, ref)
	if err != nil {
		return Host{}, err
	}
	return c.hostOf(ctx, c.names(), &h)
}

// findHost takes an ID or the name of an enrolled host; what lies outside the
// actor's sites is not there.
func findHost(ctx context.Context, r store.Reader, a Actor, ref string) (store.Host, error) {
	var h store.Host
	id, err := store.ParseID[store.HostID](ref)
	if err == nil {
		h, err = r.Host(ctx, id)
	} else {
		h, err = r.HostByName(ctx, ref)
	}
	if err == nil {
		err = a.reachesHost(&h, ref)
	}
	return h, err
}

func (a Actor) reachesHost(h *store.Host, ref string) error {
	if !a.InSite(h.SiteID.String()) {
		return store.NotFound("host", ref)
	}
	return nil
}

// sites is the actor's scope for queries.
func (a Actor) sites() ([]store.SiteID, error) {
	out := make([]store.SiteID, 0, len(a.Sites))
	for _, s := range a.Sites {
		id, err := parse[store.SiteID]("site", s)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// outdated reports whether a host's agent speaks no protocol of ours.
func outdated(h *store.Host) bool {
	return h.ProtocolMax != 0 && (h.ProtocolMax < protocol.MinVersion || h.ProtocolMin > protocol.Version)
}

func (c *Console) hostOf(ctx context.Context, n *names, h *store.Host) (Host, error) {
	site, err := n.site(ctx, h.SiteID)
	if err != nil {
		return Host{}, err
	}
	out := Host{
		ID: h.ID.String(), Name: h.Name, SiteID: h.SiteID.String(), SiteName: site, State: string(h.State),
		Online: h.Online(c.store.Now(), c.offline), UpdateNeeded: outdated(h),
		Version: h.AgentVersion, OS: h.OS, Arch: h.Arch, Hostname: h.Hostname, Capabilities: h.Capabilities,
		CacheBytes: h.CacheBytes, CacheLimit: h.CacheLimit, Devices: []Device{}, Files: []Device{}, InventoryAt: h.InventoryAt,
		EnrolledAt: h.EnrolledAt, LastSeenAt: h.LastSeenAt, RevokedAt: h.RevokedAt, Revision: h.Revision,
	}
	sticks, err := c.store.MatchSticks(ctx, h.ID, h.Inventory.Devices)
	if err != nil {
		return Host{}, err
	}
	known, err := c.store.SticksByID(ctx, sticks)
	if err != nil {
		return Host{}, err
	}
	busy, err := busyBuilds(ctx, c.store.Reader, h.ID)
	if err != nil {
		return Host{}, err
	}
	labels, err := portLabels(ctx, c.store.Reader, h.ID)
	if err != nil {
		return Host{}, err
	}
	for i, d := range h.Inventory.Devices {
		v := Device{Device: d, PortLabel: labels[d.Socket], Writable: d.Writable() && !d.Busy, CapacityClass: CapacityClass(d.Bytes), StickID: sticks[i].String(), Foreign: foreign(d.Volumes, sticks[i])}
		if s, ok := known[sticks[i]]; ok {
			v.Life, v.Holder, v.Data = string(s.Life), s.Holder, string(s.Data)
		}
		if b, ok := busy[socket{d.Port, d.LUN}]; ok {
			v.Writable, v.JobID, v.BuildID, v.StickID = false, b.JobID.String(), b.ID.String(), b.StickID.String()
		}
		out.Devices = append(out.Devices, v)
	}
	for _, d := range h.Inventory.Files {
		v := Device{Device: d}
		if b, ok := busy[socket{d.Port, d.LUN}]; ok {
			v.JobID, v.BuildID = b.JobID.String(), b.ID.String()
		}
		out.Files = append(out.Files, v)
	}
	return out, nil
}

// socket names a device's place on its host.
type socket struct {
	port string
	lun  int
}

// busyBuilds finds the unfinished builds of a host by their device's place.
func busyBuilds(ctx context.Context, r store.Reader, host store.HostID) (map[socket]store.Build, error) {
	builds, err := r.LiveBuilds(ctx, host)
	busy := make(map[socket]store.Build, len(builds))
	for _, b := range builds {
		busy[socket{b.Device.Port, b.Device.LUN}] = b
	}
	return busy, err
}

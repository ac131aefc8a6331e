package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// HostState says whether a host may connect.
type HostState string

// The states of a host.
const (
	HostEnrolled HostState = "enrolled"
	HostRevoked  HostState = "revoked"
)

// HostStates lists the states in their order.
var HostStates = []HostState{HostEnrolled, HostRevoked}

// Host is an imaging host and what its agent said last.
type Host struct {
	ID        HostID
	SiteID    SiteID
	Name      string // unique among enrolled hosts, whatever its case
	PublicKey []byte
	State     HostState
	// Session numbers the sockets of this host; only the newest may claim and
	// report.
	Session        int64
	Replica        string // the server that holds the socket
	ConnectedAt    *time.Time
	DisconnectedAt *time.Time
	LastSeenAt     *time.Time
	AgentVersion   string
	OS             string
	Arch           string
	Hostname       string
	ProtocolMin    int
	ProtocolMax    int
	Capabilities   []string
	Inventory      protocol.Inventory
	InventoryAt    *time.Time
	CacheBytes     int64
	CacheLimit     int64
	Revision       int64 // raised by people's changes, not by the agent's
	EnrolledAt     time.Time
	UpdatedAt      time.Time
	RevokedAt      *time.Time
}

// Online reports whether the host's socket is open and was heard of within the
// given time: a server that died has not closed the sockets that it held.
func (h *Host) Online(now time.Time, within time.Duration) bool {
	return h.State == HostEnrolled && h.ConnectedAt != nil && h.DisconnectedAt == nil &&
		h.LastSeenAt != nil && now.Sub(*h.LastSeenAt) <= within
}

// Can reports whether the agent said that it can do something.
func (h *Host) Can(capability string) bool { return slices.Contains(h.Capabilities, capability) }

// Device finds a device of the last inventory by its port and logical unit.
func (h *Host) Device(port string, lun int) (protocol.Device, bool) {
	for _, d := range h.Inventory.Devices {
		if d.Port == port && d.LUN == lun {
			return d, true
		}
	}
	return protocol.Device{}, false
}

// File finds a file of the last inventory, which may be captured, by its path.
func (h *Host) File(path string) (protocol.Device, bool) {
	for _, d := range h.Inventory.Files {
		if d.Port == path {
			return d, true
		}
	}
	return protocol.Device{}, false
}

const hostColumns = `id, site_id, name, public_key, state, session, replica, connected_at, disconnected_at, last_seen_at,
	agent_version, os, arch, hostname, protocol_min, protocol_max, capabilities, inventory, inventory_at,
	cache_bytes, cache_limit, revision, enrolled_at, updated_at, revoked_at`

// Host finds a host, or fails with host_not_found.
func (r Reader) Host(ctx context.Context, id HostID) (Host, error) {
	return one[Host](ctx, r.db, "host", id,
		`SELECT `+hostColumns+` FROM hosts WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// HostByName finds an enrolled host by its name, whatever its case.
func (r Reader) HostByName(ctx context.Context, name string) (Host, error) {
	return one[Host](ctx, r.db, "host", name,
		`SELECT `+hostColumns+` FROM hosts WHERE lower(name) = lower(@name) AND state = 'enrolled'`,
		pgx.NamedArgs{"name": name})
}

// HostFilter narrows Hosts; empty fields do not.
type HostFilter struct {
	Sites  []SiteID
	Status HostStatus
	Search string // what its name holds, whatever its case
	OS     string
	Page   ByName
}

// HostStatus is what a host is like now.
type HostStatus struct {
	Name   string    // "online", "offline", "update_needed"; empty for any
	Since  time.Time // who was not heard of since then is offline
	Oldest int       // protocol versions that the console speaks
	Newest int
}

func (f *HostFilter) where() *where {
	var w where
	if len(f.Sites) > 0 {
		w.and("site_id = ANY (@sites)", "sites", f.Sites)
	}
	const outdated = "(protocol_max <> 0 AND (protocol_max < @oldest OR protocol_min > @newest))"
	const online = "coalesce(connected_at IS NOT NULL AND disconnected_at IS NULL AND last_seen_at >= @since, false)"
	if f.Status.Name != "" {
		is := map[string]string{"online": online + " AND NOT " + outdated, "offline": "NOT " + online + " AND NOT " + outdated, "update_needed": outdated}
		w.and(is[f.Status.Name], "since", f.Status.Since)
		w.args["oldest"], w.args["newest"] = f.Status.Oldest, f.Status.Newest
	}
	w.text("os = @os", "os", f.OS)
	w.text("lower(name) LIKE @search", "search", holding(f.Search))
	return &w
}

// Hosts lists enrolled hosts by name.
func (r Reader) Hosts(ctx context.Context, f HostFilter) ([]Host, error) {
	w := f.where()
	w.and("state = @state", "state", HostEnrolled)
	return byName[Host](ctx, r, "hosts", "hosts", hostColumns, w, f.Page)
}

// RevokedHosts lists hosts that were revoked, the one that was enrolled last
// first; they may share their names. The filter's status and page do not count.
func (r Reader) RevokedHosts(ctx context.Context, f HostFilter, page HostPage) ([]Host, error) {
	f.Status = HostStatus{}
	w := f.where()
	w.and("state = @state", "state", HostRevoked)
	return byID[Host](ctx, r, "hosts", "hosts", hostColumns, w, page)
}

// NewHost is what a host is made of.
type NewHost struct {
	SiteID       SiteID
	Name         string
	PublicKey    []byte // ed25519
	AgentVersion string
	OS           string
	Arch         string
}

// EnrollHost adds a host. A name in use is the fault name_taken, a key in use
// host_enrolled.
func (tx *Tx) EnrollHost(ctx context.Context, n NewHost) (Host, error) {
	id, err := newID[hostKind](tx)
	if err != nil {
		return Host{}, err
	}
	tx.Notify(TopicHosts)
	return one[Host](ctx, tx.tx, "host", id,
		`INSERT INTO hosts (id, site_id, name, public_key, state, agent_version, os, arch, enrolled_at, updated_at)
		VALUES (@id, @site_id, @name, @public_key, 'enrolled', @agent_version, @os, @arch, @at, @at)
		RETURNING `+hostColumns, pgx.NamedArgs{
			"id": id, "site_id": n.SiteID, "name": cleanText(n.Name), "public_key": n.PublicKey,
			"agent_version": cleanText(n.AgentVersion), "os": cleanText(n.OS), "arch": cleanText(n.Arch), "at": tx.at,
		})
}

// ConnectHost records an accepted socket on the named replica and returns the
// host with its new session, which makes every older one stale. A revoked host
// is the fault host_revoked.
func (tx *Tx) ConnectHost(ctx context.Context, id HostID, replica string, hello *protocol.Hello) (Host, error) {
	capabilities := make([]string, 0, len(hello.Capabilities))
	for _, c := range hello.Capabilities {
		capabilities = append(capabilities, cleanText(c))
	}
	tx.Notify(TopicHosts, TopicHost(id))
	host, err := one[Host](ctx, tx.tx, "host", id,
		`UPDATE hosts SET session = session + 1, replica = @replica, connected_at = @at, disconnected_at = NULL,
			last_seen_at = @at, agent_version = @agent_version, os = @os, arch = @arch, hostname = @hostname,
			protocol_min = @protocol_min, protocol_max = @protocol_max, capabilities = @capabilities
		WHERE id = @id AND state = 'enrolled'
		RETURNING `+hostColumns, pgx.NamedArgs{
			"id": id, "replica": replica, "at": tx.at, "agent_version": cleanText(hello.Version),
			"os": cleanText(hello.OS), "arch": cleanText(hello.Arch), "hostname": cleanText(hello.Hostname),
			"protocol_min": hello.ProtocolMin, "protocol_max": hello.ProtocolMax, "capabilities": capabilities,
		})
	if errors.Is(err, NotFound("host", id)) {
		if _, known := tx.Host(ctx, id); known == nil {
			return Host{}, fault.New(fault.KindForbidden, CodeHostRevoked)
		}
	}
	return host, err
}

// DisconnectHost records that a socket closed; of an older session it changes
// nothing.
func (tx *Tx) DisconnectHost(ctx context.Context, id HostID, session int64) error {
	tag, err := tx.tx.Exec(ctx,
		`UPDATE hosts SET disconnected_at = @at WHERE id = @id AND session = @session AND disconnected_at IS NULL`,
		pgx.NamedArgs{"id": id, "session": session, "at": tx.at})
	if tag.RowsAffected() > 0 {
		tx.Notify(TopicHosts, TopicHost(id))
	}
	return fail(err, "record a disconnected host")
}

// aliveEvery is how exactly last_seen_at is known: a host that looks for work more
// often is not written each time, which would have it wait for whatever is storing
// its reports.
const aliveEvery = 5 * time.Second

// Heartbeat records that a host was heard of; a stale session is the fault
// session_stale.
func (s *Store) Heartbeat(ctx context.Context, id HostID, session int64) error {
	args := pgx.NamedArgs{"id": id, "session": session, "at": s.Now()}
	const current = ` WHERE id = @id AND session = @session AND state = 'enrolled'`
	var seen *time.Time
	err := s.pool.QueryRow(ctx, `SELECT last_seen_at FROM hosts`+current, args).Scan(&seen)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return staleSession(0, nil)
	case err != nil:
		return fail(err, "look for a host's session")
	case seen != nil && s.Now().Sub(*seen) < aliveEvery:
		return nil
	}
	tag, err := s.pool.Exec(ctx, `UPDATE hosts SET last_seen_at = @at`+current, args)
	return staleSession(tag.RowsAffected(), fail(err, "record a heartbeat"))
}

// SetInventory replaces what the host sees; a stale session is the fault
// session_stale.
func (s *Store) SetInventory(ctx context.Context, id HostID, session int64, inventory *protocol.Inventory) error {
	seen := *inventory
	if seen.Devices == nil {
		seen.Devices = []protocol.Device{}
	}
	raw, err := encodeJSON(seen)
	if err != nil {
		return err
	}
	tag, err := s.pool.Exec(ctx,
		`UPDATE hosts SET inventory = @inventory, inventory_at = @at, last_seen_at = @at,
			cache_bytes = @cache_bytes, cache_limit = @cache_limit
		WHERE id = @id AND session = @session AND state = 'enrolled'`, pgx.NamedArgs{
			"id": id, "session": session, "inventory": raw, "at": s.Now(),
			"cache_bytes": seen.CacheBytes, "cache_limit": seen.CacheLimit,
		})
	if err := staleSession(tag.RowsAffected(), fail(err, "record an inventory")); err != nil {
		return err
	}
	s.Notify(TopicHosts, TopicHost(id))
	return nil
}

func staleSession(rows int64, err error) error {
	if err == nil && rows == 0 {
		err = fault.New(fault.KindConflict, CodeSessionStale)
	}
	return err
}

// holdSession locks the host against a new connection and a revocation until
// the end of the transaction; it fails with session_stale if session is not
// the newest.
func (tx *Tx) holdSession(ctx context.Context, id HostID, session int64) error {
	var current int64
	var state HostState
	err := tx.tx.QueryRow(ctx, `SELECT session, state FROM hosts WHERE id = @id FOR SHARE`,
		pgx.NamedArgs{"id": id}).Scan(&current, &state)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return NotFound("host", id)
	case err != nil:
		return fail(err, "lock the host")
	case current != session || state != HostEnrolled:
		return fault.New(fault.KindConflict, CodeSessionStale)
	}
	return nil
}

// UpdateHost renames a host and moves it to a site; a stale revision is the
// fault stale, a closed site site_closed.
func (tx *Tx) UpdateHost(ctx context.Context, id HostID, revision int64, name string, site SiteID) (Host, error) {
	if _, err := tx.OpenSite(ctx, site); err != nil {
		return Host{}, err
	}
	tx.Notify(TopicHosts, TopicHost(id))
	return changed[Host](ctx, tx.tx, "hosts", "host", id,
		`UPDATE hosts SET name = @name, site_id = @site, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+hostColumns, pgx.NamedArgs{"id": id, "revision": revision, "name": name, "site": site, "at": tx.at})
}

package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// HostPort is the number that is printed on one socket of a host.
type HostPort struct {
	HostID HostID
	Hub    string // what tells apart hubs that are numbered alike; often empty
	Number int    // from 1 to MaxPort
	Socket string // protocol.Device.Socket
}

// MaxPort is the highest number of a socket.
const MaxPort = 999

// Label is what people call the socket: "7", or "A 7" on hub A.
func (p *HostPort) Label() string {
	if p.Hub == "" {
		return strconv.Itoa(p.Number)
	}
	return p.Hub + " " + strconv.Itoa(p.Number)
}

// Calibration waits for a stick in the socket with the number Next.
type Calibration struct {
	HostID    HostID
	Hub       string
	First     int
	Next      int
	Seen      []int64 // connections that are no news any more
	Note      CalibrationNote
	StartedAt time.Time
}

// CalibrationNote is what happened last in a calibration.
type CalibrationNote string

// The notes.
const (
	NoteFound   CalibrationNote = "found"   // a stick in a new socket; Next went up
	NoteKnown   CalibrationNote = "known"   // a stick in a socket that has its number already
	NoteSeveral CalibrationNote = "several" // sticks in several sockets at once: none of them counts
	NoteUndone  CalibrationNote = "undone"
	NoteSkipped CalibrationNote = "skipped"
)

// HostPorts lists the sockets of a host that have numbers, by hub and number.
func (r Reader) HostPorts(ctx context.Context, id HostID) ([]HostPort, error) {
	return many[HostPort](ctx, r.db, "host ports", hostPorts+`@id`+hostPortOrder, pgx.NamedArgs{"id": id})
}

// PortsOfHosts is HostPorts of several hosts, host by host; no sites mean every
// site, else hosts of other ones are left out.
func (r Reader) PortsOfHosts(ctx context.Context, ids []HostID, sites []SiteID) ([]HostPort, error) {
	return many[HostPort](ctx, r.db, "host ports",
		`SELECT p.host_id, p.hub, p.number, p.socket FROM host_ports p JOIN hosts h ON h.id = p.host_id
		WHERE h.id = ANY (@ids) AND (cardinality(@sites::uuid[]) = 0 OR h.site_id = ANY (@sites))
		ORDER BY p.host_id, p.hub, p.number`, pgx.NamedArgs{"ids": ids, "sites": append([]SiteID{}, sites...)})
}

const (
	hostPorts     = `SELECT host_id, hub, number, socket FROM host_ports WHERE host_id = `
	hostPortOrder = ` ORDER BY hub, number`
)

// LockHostPorts is HostPorts that nobody else replaces until the end of the
// transaction.
func (tx *Tx) LockHostPorts(ctx context.Context, id HostID) ([]HostPort, error) {
	if _, err := tx.tx.Exec(ctx, `SELECT FROM hosts WHERE id = @id FOR NO KEY UPDATE`, pgx.NamedArgs{"id": id}); err != nil {
		return nil, fail(err, "lock the numbers of a host's sockets")
	}
	return tx.HostPorts(ctx, id)
}

const calibrationColumns = `host_id, hub, first, next, seen, note, started_at`

// Calibration finds what is being calibrated on a host, or fails with
// calibration_not_found.
func (r Reader) Calibration(ctx context.Context, id HostID) (Calibration, error) {
	return one[Calibration](ctx, r.db, "calibration", id,
		`SELECT `+calibrationColumns+` FROM host_calibrations WHERE host_id = @id`, pgx.NamedArgs{"id": id})
}

// StartCalibration begins with the socket first of a hub, in place of an
// earlier calibration of the host. What is plugged in is no news.
func (tx *Tx) StartCalibration(ctx context.Context, id HostID, hub string, first int, plugged []protocol.Device) (Calibration, error) {
	tx.Notify(TopicHost(id), TopicHosts)
	seen := make([]int64, 0, len(plugged))
	for _, d := range plugged {
		seen = append(seen, d.Connection)
	}
	return one[Calibration](ctx, tx.tx, "calibration", id,
		`INSERT INTO host_calibrations (`+calibrationColumns+`) VALUES (@id, @hub, @first, @first, @seen, '', @at)
		ON CONFLICT (host_id) DO UPDATE SET hub = excluded.hub, first = excluded.first, next = excluded.next,
			seen = excluded.seen, note = excluded.note, started_at = excluded.started_at
		RETURNING `+calibrationColumns, pgx.NamedArgs{"id": id, "hub": cleanText(hub), "first": first, "seen": seen, "at": tx.at})
}

// lockCalibration is Calibration until the end of the transaction.
func (tx *Tx) lockCalibration(ctx context.Context, id HostID) (Calibration, error) {
	return one[Calibration](ctx, tx.tx, "calibration", id,
		`SELECT `+calibrationColumns+` FROM host_calibrations WHERE host_id = @id FOR UPDATE`, pgx.NamedArgs{"id": id})
}

func (tx *Tx) saveCalibration(ctx context.Context, c *Calibration) error {
	tx.Notify(TopicHost(c.HostID), TopicHosts)
	_, err := tx.tx.Exec(ctx, `UPDATE host_calibrations SET next = @next, seen = @seen, note = @note WHERE host_id = @id`,
		pgx.NamedArgs{"id": c.HostID, "next": c.Next, "seen": c.Seen, "note": c.Note})
	return fail(err, "save a calibration")
}

// ObserveCalibration looks at an inventory: one stick that was not there before
// gives its socket the next number. Without a calibration it does nothing.
func (tx *Tx) ObserveCalibration(ctx context.Context, id HostID, devices []protocol.Device) error {
	c, err := tx.lockCalibration(ctx, id)
	if errors.Is(err, NotFound("calibration", id)) {
		return nil
	}
	if err != nil {
		return err
	}
	var sockets []string
	news := false
	for _, d := range devices {
		if d.Kind == protocol.KindDisk || d.Socket == "" || slices.Contains(c.Seen, d.Connection) {
			continue
		}
		news = true
		c.Seen = append(c.Seen, d.Connection)
		if !slices.Contains(sockets, d.Socket) { // a reader's slots share theirs
			sockets = append(sockets, d.Socket)
		}
	}
	switch {
	case !news || c.Next > MaxPort:
		return nil
	case len(sockets) > 1:
		c.Note = NoteSeveral
		return tx.saveCalibration(ctx, &c)
	}
	ports, err := tx.HostPorts(ctx, id)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(ports, func(p HostPort) bool {
		return p.Socket == sockets[0] && p.Hub == c.Hub && p.Number >= c.First && p.Number < c.Next
	})
	if known {
		c.Note = NoteKnown
		return tx.saveCalibration(ctx, &c)
	}
	// Whatever the socket was called before, and whichever had this number.
	_, err = tx.tx.Exec(ctx, `DELETE FROM host_ports WHERE host_id = @id AND (socket = @socket OR hub = @hub AND number = @number)`,
		pgx.NamedArgs{"id": id, "socket": sockets[0], "hub": c.Hub, "number": c.Next})
	if err == nil {
		_, err = tx.tx.Exec(ctx, `INSERT INTO host_ports (host_id, hub, number, socket) VALUES (@id, @hub, @number, @socket)`,
			pgx.NamedArgs{"id": id, "socket": sockets[0], "hub": c.Hub, "number": c.Next})
	}
	if err != nil {
		return fail(err, "number a socket")
	}
	c.Next, c.Note = c.Next+1, NoteFound
	return tx.saveCalibration(ctx, &c)
}

// SkipPort leaves the next number without a socket: there is none with it, or
// it is broken.
func (tx *Tx) SkipPort(ctx context.Context, id HostID) error {
	c, err := tx.lockCalibration(ctx, id)
	if err != nil || c.Next > MaxPort {
		return err
	}
	c.Next, c.Note = c.Next+1, NoteSkipped
	return tx.saveCalibration(ctx, &c)
}

// UndoPort goes back by one number, which loses its socket. What is plugged in
// now must be pulled out to count again.
func (tx *Tx) UndoPort(ctx context.Context, id HostID) error {
	c, err := tx.lockCalibration(ctx, id)
	if err != nil || c.Next == c.First {
		return err
	}
	c.Next, c.Note = c.Next-1, NoteUndone
	_, err = tx.tx.Exec(ctx, `DELETE FROM host_ports WHERE host_id = @id AND hub = @hub AND number = @number`,
		pgx.NamedArgs{"id": id, "hub": c.Hub, "number": c.Next})
	if err != nil {
		return fail(err, "undo the number of a socket")
	}
	return tx.saveCalibration(ctx, &c)
}

// FinishCalibration ends it; the numbers stay.
func (tx *Tx) FinishCalibration(ctx context.Context, id HostID) error {
	tx.Notify(TopicHost(id), TopicHosts)
	_, err := tx.tx.Exec(ctx, `DELETE FROM host_calibrations WHERE host_id = @id`, pgx.NamedArgs{"id": id})
	return fail(err, "finish a calibration")
}

// SetHostPorts replaces the numbers of a host's sockets. A number or a socket
// that stands there twice is the fault port_taken.
func (tx *Tx) SetHostPorts(ctx context.Context, id HostID, ports []HostPort) error {
	tx.Notify(TopicHost(id), TopicHosts)
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM host_ports WHERE host_id = @id`, pgx.NamedArgs{"id": id})
	for _, p := range ports {
		batch.Queue(`INSERT INTO host_ports (host_id, hub, number, socket) VALUES (@id, @hub, @number, @socket)`,
			pgx.NamedArgs{"id": id, "hub": cleanText(p.Hub), "number": p.Number, "socket": cleanText(p.Socket)})
	}
	return fail(tx.tx.SendBatch(ctx, batch).Close(), "set the numbers of a host's sockets")
}

// orderTime is how long an order to let a stick flash waits for its host.
const orderTime = 30 * time.Second

// AskToIdentify leaves an order for the host, in place of an earlier one.
func (tx *Tx) AskToIdentify(ctx context.Context, id HostID, m *protocol.Identify) error {
	raw, err := encodeJSON(m.Identity)
	if err != nil {
		return err
	}
	tx.Notify(TopicHost(id))
	_, err = tx.tx.Exec(ctx,
		`INSERT INTO host_identifications (host_id, device, seconds, asked_at) VALUES (@id, @device, @seconds, @at)
		ON CONFLICT (host_id) DO UPDATE SET device = excluded.device, seconds = excluded.seconds, asked_at = excluded.asked_at`,
		pgx.NamedArgs{"id": id, "device": raw, "seconds": m.Seconds, "at": tx.at})
	return fail(err, "ask a host to identify a stick")
}

// TakeIdentify takes the order that waits for the host's newest session, if
// there is one.
func (s *Store) TakeIdentify(ctx context.Context, id HostID, session int64) ([]protocol.Identify, error) {
	type order struct {
		Device  protocol.Identity
		Seconds int
	}
	rows, err := many[order](ctx, s.pool, "orders to identify",
		`DELETE FROM host_identifications i USING hosts h
		WHERE i.host_id = @id AND h.id = i.host_id AND h.session = @session AND i.asked_at > @since
		RETURNING i.device, i.seconds`,
		pgx.NamedArgs{"id": id, "session": session, "since": s.Now().Add(-orderTime)})
	var orders []protocol.Identify
	for _, o := range rows {
		orders = append(orders, protocol.Identify{Identity: o.Device, Seconds: o.Seconds})
	}
	return orders, err
}

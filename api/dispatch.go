package api

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// HostSession is one accepted connection of a host. Of a host's sessions only
// the newest may claim and report: every method that takes an older one fails
// with session_stale, or with host_revoked if that is why.
type HostSession struct {
	HostID  string
	Name    string
	Session int64
	Kinds   []protocol.JobKind // what the agent can do

	id store.HostID
}

// HostWork is what there is to tell a host, in the order in which it must be
// sent.
type HostWork struct {
	Acks    []protocol.Ack
	Cancels []protocol.Cancel
	Assigns []protocol.Assign
	Wants   []protocol.WantRecord
	Lights  []protocol.Identify
}

// maxBuilds bounds the builds that a host is given at once.
const maxBuilds = 64

// ServerKey is the server's ed25519 identity, which agents pin.
func (c *Console) ServerKey(ctx context.Context) (ed25519.PrivateKey, error) {
	c.mu.Lock()
	key := c.key
	c.mu.Unlock()
	if key != nil {
		return key, nil
	}
	k, err := c.store.EnsureServerKey(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.key = k.Private
	c.mu.Unlock()
	return k.Private, nil
}

// HostKey returns the public key that a host must prove.
// Faults: host_unknown, host_revoked.
func (c *Console) HostKey(ctx context.Context, hostID string) (ed25519.PublicKey, error) {
	unknown := fault.New(fault.KindUnauthenticated, CodeHostUnknown)
	id, err := store.ParseID[store.HostID](hostID)
	if err != nil {
		return nil, unknown
	}
	h, err := c.store.Host(ctx, id)
	switch {
	case isNotFound(err, "host"):
		return nil, unknown
	case err != nil:
		return nil, err
	case h.State != store.HostEnrolled:
		return nil, fault.New(fault.KindForbidden, CodeHostRevoked)
	}
	return h.PublicKey, nil
}

// HostConnected accepts a host whose proof was checked. It makes every older
// session of the host stale. Faults: host_revoked.
func (c *Console) HostConnected(ctx context.Context, hello *protocol.Hello) (HostSession, error) {
	id, err := store.ParseID[store.HostID](hello.HostID)
	if err != nil {
		return HostSession{}, err
	}
	var h store.Host
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		h, err = tx.ConnectHost(ctx, id, c.replica, hello)
		return err
	})
	return HostSession{HostID: hello.HostID, Name: h.Name, Session: h.Session, Kinds: kindsOf(hello.Capabilities), id: id}, err
}

// kindsOf lists the kinds of jobs that capabilities allow.
func kindsOf(capabilities []string) []protocol.JobKind {
	return slices.DeleteFunc(slices.Clone(protocol.JobKinds), func(k protocol.JobKind) bool {
		return !slices.Contains(capabilities, k.Capability())
	})
}

// can reports whether the agent understands a job. Erasing first is as old as
// wiping: an agent that only presses would leave it out without a word.
func (s *HostSession) can(j *store.Job) bool {
	return slices.Contains(s.Kinds, j.Kind) && (!j.Options.EraseFirst || slices.Contains(s.Kinds, protocol.JobWipe))
}

// HostOutdated records what an agent said that speaks no protocol of ours, so
// that the inventory shows it as "update needed".
func (c *Console) HostOutdated(ctx context.Context, hello *protocol.Hello) error {
	s, err := c.HostConnected(ctx, hello)
	if err != nil {
		return err
	}
	return c.HostDisconnected(ctx, s)
}

// HostDisconnected records that a connection ended; of an older session it
// changes nothing.
func (c *Console) HostDisconnected(ctx context.Context, s HostSession) error {
	c.progress.drop(s.id, s.Session)
	return c.store.InTx(ctx, func(tx *store.Tx) error { return tx.DisconnectHost(ctx, s.id, s.Session) })
}

// HostAlive records that a host was heard of.
func (c *Console) HostAlive(ctx context.Context, s HostSession) error {
	return c.judge(ctx, s, c.store.Heartbeat(ctx, s.id, s.Session))
}

// OnHost calls wake whenever there may be work for the host, or it may not be
// welcome any more, until stop is called; see store.OnChange.
func (c *Console) OnHost(s HostSession, wake func()) (stop func()) {
	return c.store.OnChange(wake, store.TopicHost(s.id))
}

// HostInventory replaces the list of what the host sees. Faults: value_invalid.
func (c *Console) HostInventory(ctx context.Context, s HostSession, m *protocol.Inventory) error {
	for _, list := range [][]protocol.Device{m.Devices, m.Files} {
		for i := range list {
			// A refusal without a reason must neither be shown nor be taken for none.
			if slices.Contains(list[i].Refusals, nil) {
				return fault.New(fault.KindInvalid, store.CodeValueInvalid, "field", "refusals")
			}
		}
	}
	// A file is no stick: nothing is ever written to it.
	isFile := func(d protocol.Device) bool { return d.Kind == protocol.KindFile }
	isStick := func(d protocol.Device) bool { return !isFile(d) }
	if slices.ContainsFunc(m.Devices, isFile) || slices.ContainsFunc(m.Files, isStick) {
		return fault.New(fault.KindInvalid, store.CodeValueInvalid, "field", "kind")
	}
	if err := c.store.SetInventory(ctx, s.id, s.Session, m); err != nil {
		return c.judge(ctx, s, err)
	}
	// Most hosts are not being calibrated, so nothing is locked for that.
	if _, err := c.store.Calibration(ctx, s.id); err != nil {
		if isNotFound(err, "calibration") {
			err = nil
		}
		return err
	}
	return c.store.InTx(ctx, func(tx *store.Tx) error { return tx.ObserveCalibration(ctx, s.id, m.Devices) })
}

// HostEvents stores what the host reports and says what to answer, see
// storeReports.
func (c *Console) HostEvents(ctx context.Context, s HostSession, events []protocol.Event) (HostWork, error) {
	w, err := c.reports.put(ctx, s, events)
	return w, c.judge(ctx, s, err)
}

// lastSeq is the greatest number among an attempt's events.
func lastSeq(events []protocol.Event, ref protocol.AttemptRef) int64 {
	var last int64
	for i := range events {
		if events[i].AttemptRef == ref {
			last = max(last, events[i].HostSeq)
		}
	}
	return last
}

// HostFound says whether an attempt may have the stick that its host found in
// the device. Faults: attempt_not_found.
func (c *Console) HostFound(ctx context.Context, s HostSession, m *protocol.FoundStick) (protocol.StickVerdict, error) {
	why, err := c.store.JudgeFound(ctx, s.id, m)
	return protocol.StickVerdict{FoundStick: *m, Fault: why}, err
}

// HostProgress takes where the running attempts are: in memory for the
// watchers of this replica, and once a second into the database for the rest.
func (c *Console) HostProgress(ctx context.Context, s HostSession, m *protocol.Progress) error {
	now := c.store.Now()
	c.rates.note(m.Attempts, now)
	if due := c.progress.put(s.id, s.Session, m.Attempts, now); !due {
		return nil
	}
	return c.store.PutProgress(ctx, s.id, s.Session, m)
}

// HostTicket answers a Refresh: a new ticket for the image of a job of this
// host. Faults: job_not_found.
func (c *Console) HostTicket(ctx context.Context, s HostSession, jobID string) (protocol.Ticket, error) {
	id, err := parse[store.JobID]("job", jobID)
	if err != nil {
		return protocol.Ticket{}, err
	}
	j, err := c.store.Job(ctx, id)
	if err == nil && (j.HostID != s.id || j.State.Final()) {
		err = store.NotFound("job", jobID)
	}
	if err != nil {
		return protocol.Ticket{}, err
	}
	if j.Kind == protocol.JobCapture {
		ticket, err := c.newUploadTicket(ctx, s.id, j.ID)
		return protocol.Ticket{JobID: jobID, Ticket: ticket}, err
	}
	v, err := c.store.Version(ctx, j.ImageVersionID)
	if err != nil {
		return protocol.Ticket{}, err
	}
	ticket, err := c.newTicket(ctx, s.id, v.SHA256)
	return protocol.Ticket{JobID: jobID, Ticket: ticket}, err
}

// judge tells a stale session from a revoked host.
func (c *Console) judge(ctx context.Context, s HostSession, err error) error {
	if !errors.Is(err, fault.New(fault.KindConflict, CodeSessionStale)) {
		return err
	}
	if h, herr := c.store.Host(ctx, s.id); herr == nil && h.State == store.HostRevoked {
		return fault.Wrap(err, fault.KindForbidden, CodeHostRevoked)
	}
	return err
}

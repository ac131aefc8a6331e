package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// NewJob is what a job is made of.
type NewJob struct {
	HostID                HostID
	Kind                  protocol.JobKind
	ImageVersionID        VersionID         // zero for kinds that write no image
	Channel               string            // the name of the channel that was resolved, or empty
	TaskSequenceVersionID SequenceVersionID // of JobPress
	Layout                string            // empty: the task sequence's
	Edition               int               // 0: the task sequence's
	Options               protocol.JobOptions
	Overrides             []string // codes of faults that an admin allowed to pass
	Reference             string
	ReferenceSystem       string // whose; see Build
	Holder                string
	// Variables are kept in history as they are: secrets belong into the
	// unattend template.
	Variables map[string]string
	// NotBefore keeps the job from its host until then; nil gives it at once.
	NotBefore *time.Time
	Builds    []NewBuild
	By        Actor
}

// NewBuild is one stick of a NewJob. Empty fields take the job's; Variables
// are laid over the job's.
type NewBuild struct {
	// Device is what the person confirmed.
	Device protocol.Device
	Label  string // of its socket, see HostPort.Label
	// StickID says which known stick this is; zero lets MatchSticks guess and
	// registers a new one where it cannot.
	StickID         StickID
	Reference       string
	ReferenceSystem string // of this Reference; the job's has its own
	Holder          string
	Variables       map[string]string
}

// QueueJob adds a job and its builds. A stick that is named twice, or that a build
// is using, is the fault stick_busy (Questions.Workplace tells which build, to who
// asks before); a revoked host is host_revoked, a withdrawn version version_withdrawn; a stick
// that may hold what is another holder's is stick_not_wiped with the port and
// that holder, unless Overrides has that code; a reference that another job has
// which is not over is reference_open with that job.
func (tx *Tx) QueueJob(ctx context.Context, n NewJob) (Job, error) {
	if len(n.Builds) == 0 {
		return Job{}, fault.New(fault.KindInvalid, CodeNoSticks).At("devices")
	}
	if err := n.checkFree(nil); err != nil {
		return Job{}, err
	}
	var refs externalRefs
	for i := range n.Builds {
		refs.add(n.reference(&n.Builds[i]))
	}
	q := tx.Questions()
	held, open, match := n.hold(q), refs.hold(q), askSticks(q, n.HostID, n.devices())
	if err := q.Ask(ctx); err != nil {
		return Job{}, err
	}
	site, err := held()
	if err != nil {
		return Job{}, err
	}
	if err := open(); err != nil {
		return Job{}, err
	}
	var sequence SequenceVersion
	if !n.TaskSequenceVersionID.IsZero() && (n.Layout == "" || n.Edition == 0) {
		if sequence, err = tx.SequenceVersion(ctx, n.TaskSequenceVersionID); err != nil {
			return Job{}, err
		}
	}
	id, err := newID[jobKind](tx)
	if err != nil {
		return Job{}, err
	}
	c := tx.change(n.By)
	sticks, err := c.findSticks(ctx, &n, match())
	if err != nil {
		return Job{}, err
	}
	if err := c.checkHere(n.Kind, &n, sticks); err != nil {
		return Job{}, err
	}
	if err := c.checkData(n.Kind, &n, sticks); err != nil {
		return Job{}, err
	}
	if err := c.checkWiped(&n, sticks); err != nil {
		return Job{}, err
	}
	queued := QueuedJob{
		SiteID: site, HostID: n.HostID, Kind: n.Kind, ImageVersionID: n.ImageVersionID, Channel: n.Channel,
		TaskSequenceVersionID: n.TaskSequenceVersionID, Layout: or(n.Layout, sequence.Layout), Edition: or(n.Edition, sequence.Edition),
		Options: n.Options, Overrides: n.Overrides,
		Reference: cleanText(n.Reference), ReferenceSystem: cleanText(n.ReferenceSystem), Holder: cleanText(n.Holder),
		Variables: merged(n.Variables, nil), NotBefore: stamped(n.NotBefore),
	}
	for i, b := range n.Builds {
		build, err := newID[buildKind](tx)
		if err != nil {
			return Job{}, err
		}
		target := TargetOf(&b.Device)
		target.Label = b.Label
		system, reference := n.reference(&b)
		queued.Builds = append(queued.Builds, QueuedBuild{
			BuildID: build, StickID: sticks[i], Device: target,
			Reference: reference, ReferenceSystem: system, Holder: cleanText(or(b.Holder, n.Holder)),
			Variables: merged(n.Variables, b.Variables),
		})
	}
	s := c.begin(Job{ID: id})
	if err := c.append(s, Event{Type: EventJobQueued}, queued); err != nil {
		return Job{}, err
	}
	tx.Notify(TopicHost(n.HostID))
	c.save()
	return s.job, nil
}

// reference is a build's own reference with its system, or the job's.
func (n *NewJob) reference(b *NewBuild) (system, reference string) {
	if own := cleanText(b.Reference); own != "" {
		return cleanText(b.ReferenceSystem), own
	}
	return cleanText(n.ReferenceSystem), cleanText(n.Reference)
}

func (n *NewJob) devices() []protocol.Device {
	devices := make([]protocol.Device, len(n.Builds))
	for i, b := range n.Builds {
		devices[i] = b.Device
	}
	return devices
}

// overrides reports whether an admin lets the fault pass.
func (n *NewJob) overrides(code fault.Code) bool { return slices.Contains(n.Overrides, string(code)) }

// or is a, or b where a is empty.
func or[T comparable](a, b T) T {
	var empty T
	if a != empty {
		return a
	}
	return b
}

// hold locks the host against a revocation and the version against a withdrawal,
// and answers with the host's site.
func (n *NewJob) hold(q *Questions) func() (SiteID, error) {
	type held struct {
		SiteID SiteID
		State  HostState
	}
	hosts := ask[held](q, `SELECT site_id, state FROM hosts WHERE id = @id FOR SHARE`, pgx.NamedArgs{"id": n.HostID})
	versions := &answer[struct{ State VersionState }]{}
	if !n.ImageVersionID.IsZero() {
		versions = ask[struct{ State VersionState }](q, `SELECT state FROM image_versions WHERE id = @id FOR SHARE`,
			pgx.NamedArgs{"id": n.ImageVersionID})
	}
	return func() (SiteID, error) {
		host, err := hosts.one("host", n.HostID)
		if err != nil {
			return SiteID{}, err
		}
		if host.State != HostEnrolled {
			return SiteID{}, fault.New(fault.KindConflict, CodeHostRevoked).At("host")
		}
		if n.ImageVersionID.IsZero() {
			return host.SiteID, nil
		}
		version, err := versions.one("image_version", n.ImageVersionID)
		if err == nil && version.State == VersionWithdrawn {
			err = fault.New(fault.KindConflict, CodeVersionWithdrawn).At("version")
		}
		return host.SiteID, err
	}
}

// checkFree refuses devices that are named twice, or in use as far as that was
// looked up.
func (n *NewJob) checkFree(busy map[Place]JobID) error {
	wanted := make(map[Place]bool, len(n.Builds))
	for _, b := range n.Builds {
		at := Place{cleanText(b.Device.Port), b.Device.LUN}
		if wanted[at] {
			return fault.New(fault.KindConflict, CodeStickBusy, "port", at.Port).At("devices")
		}
		if job, ok := busy[at]; ok {
			return fault.New(fault.KindConflict, CodeStickBusy, "port", at.Port, "job", job).At("devices")
		}
		wanted[at] = true
	}
	return nil
}

// findSticks returns the stick of every build: the one that the caller names,
// the one that the hardware suggests, or a new one.
func (c *change) findSticks(ctx context.Context, n *NewJob, found []StickID) ([]StickID, error) {
	devices := n.devices()
	// The indexes hold these ports free: a stick that is busy is in another one,
	// and this device only looks like it.
	taken, err := c.tx.busySticks(ctx, found)
	if err != nil {
		return nil, err
	}
	for i, b := range n.Builds {
		if !b.StickID.IsZero() {
			found[i] = b.StickID
		} else if taken[found[i]] {
			found[i] = StickID{}
		}
		taken[found[i]] = true
	}
	lock := slices.Clone(found)
	for i := range devices {
		if id := carriedBy(&devices[i]); !id.IsZero() {
			lock = append(lock, id)
		}
	}
	if err := c.lockSticks(ctx, lock); err != nil {
		return nil, err
	}
	for i := range found {
		target := TargetOf(&devices[i])
		if devices[i].Kind == protocol.KindFile {
			continue // it is read, and no stick
		}
		seen := StickSeen{HostID: n.HostID, Device: target}
		event := EventStickSeen
		if found[i].IsZero() {
			if found[i], err = newID[stickKind](c.tx); err != nil {
				return nil, err
			}
			c.sticks[found[i]] = &stickStream{}
			event = EventStickRegistered
		} else if s, ok := c.sticks[found[i]]; ok && s.stick.at(n.HostID, &target) {
			continue
		}
		if err := c.stick(found[i], Event{Type: event}, seen); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// busySticks says which of the sticks have a build that is not over.
func (tx *Tx) busySticks(ctx context.Context, ids []StickID) (map[StickID]bool, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), StickID.IsZero)
	if len(ids) == 0 {
		return map[StickID]bool{}, nil
	}
	rows, _ := tx.db.Query(ctx,
		`SELECT stick_id FROM builds WHERE stick_id = ANY (@ids) AND outcome IS NULL`,
		pgx.NamedArgs{"ids": ids})
	found, err := pgx.CollectRows(rows, pgx.RowTo[StickID])
	busy := make(map[StickID]bool, len(found))
	for _, id := range found {
		busy[id] = true
	}
	return busy, fail(err, "look for busy sticks")
}

// at reports whether the stick was seen in this place last.
func (s *Stick) at(host HostID, d *Target) bool {
	return s.HostID == host && s.Port == cleanText(d.Port) && s.LUN == d.LUN
}

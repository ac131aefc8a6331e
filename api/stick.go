package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// Stick is one removable device that the console has met.
type Stick struct {
	ID      string `json:"id"`
	State   string `json:"state"` // "unknown", "pressing", "verified", "incomplete", "erasing", "wiped"
	Life    string `json:"life"`  // "stock", "issued", "returned", "lost", "retired"
	Data    string `json:"data"`  // of a user, on a stick that came back: DataOpen, …; else empty
	Kind    string `json:"kind"`  // protocol.KindUSB, …
	Vendor  string `json:"vendor"`
	Model   string `json:"model"`
	VIDPID  string `json:"vid_pid"`
	Serial  string `json:"serial"` // a hint: may be empty or shared by a batch
	Bytes   int64  `json:"bytes"`
	Virtual bool   `json:"virtual"`
	// What it carries, set while it is verified.
	VersionID  string     `json:"version_id,omitempty"`
	ImageName  string     `json:"image_name,omitempty"`
	Version    string     `json:"version,omitempty"`
	Layout     string     `json:"layout,omitempty"`
	DiskID     string     `json:"disk_id,omitempty"`
	VerifiedAt *time.Time `json:"verified_at,omitempty"`
	// When it was last compared with what was recorded, and what was found, or
	// why it is not as it should be.
	Recorded   bool                  `json:"recorded"` // there is something to compare it with
	CheckedAt  *time.Time            `json:"checked_at,omitempty"`
	Check      *protocol.CheckResult `json:"check,omitempty"`
	CheckFault *protocol.Fault       `json:"check_fault,omitempty"`
	Carries    *Carried              `json:"carries,omitempty"` // the version that was found then; not in lists
	// Fault is why it is incomplete.
	Fault *protocol.Fault `json:"fault,omitempty"`
	// The build that wrote it last.
	JobID     string `json:"job_id,omitempty"`
	BuildID   string `json:"build_id,omitempty"`
	Reference string `json:"reference,omitempty"`
	Computer  string `json:"computer,omitempty"` // that it was pressed as; empty where Windows chose
	// Holder is who has it, or for whom its content was pressed, until it is wiped.
	Holder string `json:"holder,omitempty"`
	// Where it was seen last.
	HostID    string    `json:"host_id,omitempty"`
	HostName  string    `json:"host_name,omitempty"`
	Port      string    `json:"port,omitempty"`
	LUN       int       `json:"lun"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Revision  int64     `json:"revision"`
}

// StickEvent is one thing that happened to a stick: "stick_registered",
// "stick_seen", "stick_pressing", "stick_verified", "stick_incomplete",
// "stick_erasing", "stick_wiped", "stick_returned", "stick_checked",
// "stick_issued", "stick_lost", "stick_found", "stick_retired", "stick_undone",
// "stick_data_settled".
type StickEvent struct {
	StickID   string          `json:"stick_id"`
	Seq       int64           `json:"seq"` // from 1, without a gap
	Type      string          `json:"type"`
	BuildID   string          `json:"build_id,omitempty"`
	Attempt   int             `json:"attempt,omitempty"`
	ActorKind ActorKind       `json:"actor_kind"`
	ActorName string          `json:"actor_name"`
	At        time.Time       `json:"at"`
	VersionID string          `json:"version_id,omitempty"`
	ImageName string          `json:"image_name,omitempty"` // of the version
	Version   string          `json:"version,omitempty"`
	Layout    string          `json:"layout,omitempty"`
	JobID     string          `json:"job_id,omitempty"`  // of the build
	HostID    string          `json:"host_id,omitempty"` // where it was seen
	HostName  string          `json:"host_name,omitempty"`
	Port      string          `json:"port,omitempty"`
	Fault     *protocol.Fault `json:"fault,omitempty"`
	Holder    string          `json:"holder,omitempty"`    // who gets it, or for whom it is pressed
	Reference string          `json:"reference,omitempty"` // under which it is handed out
	Reason    string          `json:"reason,omitempty"`    // what was said of a loss, a find, an end; where a copy lies
	Data      string          `json:"data,omitempty"`      // what became of a user's data: DataNone, …
	Signer    string          `json:"signer,omitempty"`    // who answers for the loss of a user's data
	Undoable  bool            `json:"undoable,omitempty"`  // UndoStickMove takes it back: nothing happened to the stick since
	// Of a stick that was wiped.
	Wipe          *protocol.WipeResult `json:"wipe,omitempty"`
	CertificateID string               `json:"certificate_id,omitempty"`
	// Check is what a comparison found.
	Check *protocol.CheckResult `json:"check,omitempty"`
}

// StickFilter narrows ListSticks; empty fields do not.
type StickFilter struct {
	State     string
	HostID    string // seen last on this host; or its name
	ImageID   string // carries a version of this image; or its name
	VersionID string // carries this version
	SiteID    string // of the host that saw it last; or its name
	Serial    string // exact
	Life      string
	Holder    string // how its holder begins, whatever its case
	Reference string // how its ticket begins
	Computer  string // how the name of its computer begins
	Tasks     string // "open": something is to be disabled since it was lost
	Search    string // how its serial, holder, ticket or computer begins, whatever its case
}

const tasksOpen = "open"

// StickFields are the fields of a StickFilter.
var StickFields = []Field[StickFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "How its serial, holder, ticket or computer begins, whatever its case."}, func(f *StickFilter) *string { return &f.Search }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{"verified", "pressing", "incomplete", "erasing", "wiped", "unknown"}, Doc: "What is on it."}, func(f *StickFilter) *string { return &f.State }},
	{FieldInfo{Name: "life", Kind: FieldChoice, Values: []string{"stock", "issued", "returned", "lost", "retired"}, Doc: "Where it is in its life."}, func(f *StickFilter) *string { return &f.Life }},
	{FieldInfo{Name: "image", Kind: FieldThing, Object: "image", Doc: "ID or name of an image, any version of which it carries."}, func(f *StickFilter) *string { return &f.ImageID }},
	{FieldInfo{Name: "version", Kind: FieldThing, Doc: "ID of the version that it carries."}, func(f *StickFilter) *string { return &f.VersionID }},
	{FieldInfo{Name: "host", Kind: FieldThing, Object: "host", Doc: "ID or name of the host that saw it last."}, func(f *StickFilter) *string { return &f.HostID }},
	{FieldInfo{Name: "site", Kind: FieldThing, Object: "site", Doc: "ID or name of the site of that host."}, func(f *StickFilter) *string { return &f.SiteID }},
	{FieldInfo{Name: "holder", Kind: FieldText, Doc: "How its holder begins, whatever its case."}, func(f *StickFilter) *string { return &f.Holder }},
	{FieldInfo{Name: "reference", Kind: FieldText, Doc: "How its ticket begins, whatever its case."}, func(f *StickFilter) *string { return &f.Reference }},
	{FieldInfo{Name: "computer", Kind: FieldText, Doc: "How the name of its computer begins, whatever its case."}, func(f *StickFilter) *string { return &f.Computer }},
	{FieldInfo{Name: "serial", Kind: FieldText, Doc: "Its serial, exact."}, func(f *StickFilter) *string { return &f.Serial }},
	{FieldInfo{Name: "tasks", Kind: FieldChoice, Values: []string{tasksOpen}, Doc: "'open': something is to be disabled since it was lost."}, func(f *StickFilter) *string { return &f.Tasks }},
}

// ListSticks lists sticks, newest first. Faults: those of FieldInfo.Check,
// host_not_found, image_not_found, image_version_not_found, site_not_found.
func (c *Console) ListSticks(ctx context.Context, a Actor, f StickFilter, p Page) (List[Stick], error) {
	if err := allow(a, UseListSticks); err != nil {
		return List[Stick]{}, err
	}
	query, err := c.stickQuery(ctx, a, &f)
	if err != nil {
		return List[Stick]{}, err
	}
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.StickID](p); err != nil {
		return List[Stick]{}, err
	}
	rows, err := c.store.Sticks(ctx, query)
	if err != nil {
		return List[Stick]{}, err
	}
	n := c.names()
	return listOf(p, rows, func(s *store.Stick) (Stick, error) { return c.stickOf(ctx, n, s) },
		func(s store.Stick) string { return s.ID.String() })
}

// stickQuery is a filter as the store takes it.
func (c *Console) stickQuery(ctx context.Context, a Actor, f *StickFilter) (store.StickFilter, error) {
	query := store.StickFilter{
		State: store.StickState(f.State), Serial: f.Serial, Life: store.StickLife(f.Life), Holder: f.Holder, Search: f.Search,
		Reference: f.Reference, Computer: f.Computer, OpenTasks: f.Tasks == tasksOpen,
	}
	err := checkFilter(StickFields, f)
	if err != nil {
		return query, err
	}
	if query.Sites, err = c.scope(ctx, a, f.SiteID); err != nil {
		return query, err
	}
	if query.HostID, err = c.hostField(ctx, a, f.HostID); err != nil {
		return query, err
	}
	if query.ImageID, err = c.imageField(ctx, f.ImageID); err != nil {
		return query, err
	}
	query.ImageVersionID, err = thing("version", f.VersionID, parseVersion, func(id store.VersionID) store.VersionID { return id })
	return query, err
}

// GetStick returns a stick by ID. Faults: stick_not_found.
func (c *Console) GetStick(ctx context.Context, a Actor, id string) (Stick, error) {
	s, err := c.findStick(ctx, a, id)
	if err != nil {
		return Stick{}, err
	}
	n := c.names()
	out, err := c.stickOf(ctx, n, &s)
	if err != nil {
		return Stick{}, err
	}
	out.Carries, err = carried(ctx, n, out.Check)
	return out, err
}

// StickEvents returns a stick's history after a seq, oldest first, at most
// MaxPage of it. Faults: stick_not_found.
func (c *Console) StickEvents(ctx context.Context, a Actor, id string, after int64) ([]StickEvent, error) {
	s, err := c.findStick(ctx, a, id)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.StickEvents(ctx, s.ID, after, MaxPage)
	if err != nil {
		return nil, err
	}
	n, jobs := c.names(), map[store.BuildID]string{}
	out := make([]StickEvent, 0, len(rows))
	for i := range rows {
		e, err := stickEventOf(ctx, n, &rows[i])
		if err != nil {
			return nil, err
		}
		if id := rows[i].BuildID; !id.IsZero() && jobs[id] == "" {
			b, err := c.store.Build(ctx, id)
			if err != nil {
				return nil, err
			}
			jobs[id] = b.JobID.String()
		}
		e.JobID, e.Undoable = jobs[rows[i].BuildID], s.Undoable(rows[i].Seq, rows[i].Type)
		out = append(out, e)
	}
	return out, nil
}

func (c *Console) findStick(ctx context.Context, a Actor, id string) (store.Stick, error) {
	if err := allow(a, UseGetStick); err != nil {
		return store.Stick{}, err
	}
	key, err := parse[store.StickID]("stick", id)
	if err != nil {
		return store.Stick{}, err
	}
	s, err := c.store.Stick(ctx, key)
	if err != nil {
		return s, err
	}
	ok, err := c.inScope(ctx, a, s.HostID)
	if err == nil && !ok {
		err = store.NotFound("stick", id)
	}
	return s, err
}

// inScope reports whether a host is at one of the actor's sites.
func (c *Console) inScope(ctx context.Context, a Actor, host store.HostID) (bool, error) {
	if len(a.Sites) == 0 {
		return true, nil
	}
	h, err := c.store.Host(ctx, host)
	return err == nil && a.InSite(h.SiteID.String()), err
}

func (c *Console) stickOf(ctx context.Context, n *names, s *store.Stick) (Stick, error) {
	out := Stick{
		ID: s.ID.String(), State: string(s.State), Life: string(s.Life), Data: string(s.Data), Holder: s.Holder, Kind: s.Kind, Vendor: s.Vendor, Model: s.Model, VIDPID: s.VIDPID,
		Serial: s.Serial, Bytes: s.Bytes, Virtual: s.Kind == protocol.KindVirtual, VersionID: s.ImageVersionID.String(),
		Layout: s.Layout, DiskID: s.DiskID, VerifiedAt: s.VerifiedAt, Fault: s.Fault,
		CheckedAt: s.CheckedAt, Check: s.CheckResult, CheckFault: s.CheckFault, BuildID: s.LastBuildID.String(),
		HostID: s.HostID.String(), Port: s.Port, LUN: s.LUN, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Revision: s.Revision,
	}
	out.Reference = s.Reference
	var err error
	if out.HostName, err = n.host(ctx, s.HostID); err != nil {
		return Stick{}, err
	}
	if !s.ImageVersionID.IsZero() {
		v, err := n.version(ctx, s.ImageVersionID)
		if err != nil {
			return Stick{}, err
		}
		out.Version = v.Version
		if out.ImageName, err = n.image(ctx, v.ImageID); err != nil {
			return Stick{}, err
		}
	}
	if s.State == store.StickVerified {
		if out.Recorded, err = c.store.Recorded(ctx, s.ID); err != nil {
			return Stick{}, err
		}
	}
	if !s.LastBuildID.IsZero() {
		b, err := c.store.Build(ctx, s.LastBuildID)
		if err != nil {
			return Stick{}, err
		}
		out.JobID, out.Reference = b.JobID.String(), cmp.Or(s.Reference, b.Reference)
		if name := b.Variables[VariableComputerName]; name != anyComputerName && s.State != store.StickWiped {
			out.Computer = name
		}
		if s.State == store.StickVerified { // perhaps before sticks had holders
			out.Holder = cmp.Or(out.Holder, b.Holder)
		}
	}
	return out, nil
}

func stickEventOf(ctx context.Context, n *names, e *store.StickEvent) (StickEvent, error) {
	name, err := n.actor(ctx, e.ActorKind, e.ActorID)
	if err != nil {
		return StickEvent{}, err
	}
	// StickSeen and StickContent have no field in common; a fault is the same
	// in StickCheck, a holder in StickHandover.
	var p struct {
		store.StickSeen
		store.StickContent
		Check     *protocol.CheckResult `json:"check"`
		Reference string                `json:"reference"`
		Reason    string                `json:"reason"`
		Data      string                `json:"data"`
		Signer    string                `json:"signer"`
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return StickEvent{}, fmt.Errorf("read event %d of stick %s: %w", e.Seq, e.StickID, err)
	}
	out := StickEvent{
		StickID: e.StickID.String(), Seq: e.Seq, Type: string(e.Type), BuildID: e.BuildID.String(), Attempt: e.Attempt,
		ActorKind: ActorKind(e.ActorKind), ActorName: name, At: e.At,
		VersionID: p.ImageVersionID.String(), Layout: p.Layout, HostID: p.HostID.String(), Port: p.Device.Port, Fault: p.Fault,
		Holder: p.Holder, Wipe: p.Wipe, CertificateID: p.CertificateID.String(),
		Check: p.Check, Reference: p.Reference, Reason: p.Reason, Data: p.Data, Signer: p.Signer,
	}
	if out.HostName, err = n.host(ctx, p.HostID); err != nil || p.ImageVersionID.IsZero() {
		return out, err
	}
	v, err := n.version(ctx, p.ImageVersionID)
	if err != nil {
		return out, err
	}
	out.Version = v.Version
	out.ImageName, err = n.image(ctx, v.ImageID)
	return out, err
}

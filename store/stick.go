package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Stick is one removable device that the console knows. Its identity is its
// ID; serial, port and the rest are hints about the hardware. It is a
// projection of its events.
type Stick struct {
	ID             StickID
	State          StickState
	Life           StickLife
	Data           StickData // whether it may hold what its last user made
	Holder         string    // who has it, or for whom its content was pressed, until it is wiped
	Reference      string    // the ticket that it was handed out under, if it was not pressed under one since
	Kind           string    // protocol.KindUSB, …
	Serial         string    // may be empty or shared by a batch
	VIDPID         string    `db:"vid_pid"`
	Vendor         string
	Model          string
	Bytes          int64
	HostID         HostID // where it was seen last
	Port           string
	LUN            int             `db:"lun"`
	ImageVersionID VersionID       // what it carries, or zero
	Layout         string          // of what it carries
	DiskID         string          // MBR signature or disk GUID of what it carries
	LastBuildID    BuildID         // the build that wrote it last
	Fault          *protocol.Fault // why it is incomplete
	VerifiedAt     *time.Time      // when what it carries was verified
	// When that was last compared with its record, and what was found, or why
	// it is not as it should be.
	CheckedAt   *time.Time
	CheckResult *protocol.CheckResult
	CheckFault  *protocol.Fault
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Seq         int64 // number of its events
	Revision    int64
}

const stickColumns = `id, state, life, data, holder, reference, kind, serial, vid_pid, vendor, model, bytes, host_id, port, lun, image_version_id, layout,
	disk_id, last_build_id, fault, verified_at, checked_at, check_result, check_fault, created_at, updated_at, seq, revision`

// Stick finds a stick, or fails with stick_not_found.
func (r Reader) Stick(ctx context.Context, id StickID) (Stick, error) {
	return one[Stick](ctx, r.db, "stick", id,
		`SELECT `+stickColumns+` FROM sticks WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// SticksByID finds sticks; those that do not exist are left out.
func (r Reader) SticksByID(ctx context.Context, ids []StickID) (map[StickID]Stick, error) {
	list, err := many[Stick](ctx, r.db, "sticks",
		`SELECT `+stickColumns+` FROM sticks WHERE id = ANY (@ids)`, pgx.NamedArgs{"ids": ids})
	found := make(map[StickID]Stick, len(list))
	for i := range list {
		found[list[i].ID] = list[i]
	}
	return found, err
}

// StickFilter narrows Sticks; empty fields do not.
type StickFilter struct {
	Sites          []SiteID // of the host that saw it last
	HostID         HostID
	State          StickState
	ImageID        ImageID
	ImageVersionID VersionID
	Serial         string
	Life           StickLife
	Holder         string // how its holder begins, whatever its case
	Reference      string // how its ticket begins: that of its handover, or of the build that wrote it last
	Computer       string // how the name of the computer begins that it was pressed as
	OpenTasks      bool   // has something to do about its loss
	Search         string // how any of serial, holder, ticket and computer begins
	Page           StickPage
}

// Sticks lists sticks, newest first.
func (r Reader) Sticks(ctx context.Context, f StickFilter) ([]Stick, error) {
	w := f.where()
	return byID[Stick](ctx, r, "sticks", "sticks", stickColumns, &w, f.Page)
}

// CountSticks counts the sticks that a filter lets through, whatever its page.
func (r Reader) CountSticks(ctx context.Context, f StickFilter) (int, error) {
	w, n := f.where(), 0
	if w.args == nil {
		w.args = pgx.NamedArgs{}
	}
	err := r.db.QueryRow(ctx, `SELECT count(*) FROM sticks`+w.String(), pgx.QueryExecModeCacheDescribe, w.args).Scan(&n)
	return n, fail(err, "count sticks")
}

// where are the conditions of a filter.
func (f *StickFilter) where() where {
	var w where
	if len(f.Sites) > 0 {
		w.and("host_id IN (SELECT id FROM hosts WHERE site_id = ANY (@sites))", "sites", f.Sites)
	}
	equal(&w, "host_id = @host", "host", f.HostID)
	equal(&w, "image_version_id IN (SELECT id FROM image_versions WHERE image_id = @image)", "image", f.ImageID)
	equal(&w, "image_version_id = @version", "version", f.ImageVersionID)
	w.text("state = @state", "state", string(f.State))
	w.text("life = @life", "life", string(f.Life))
	w.text("serial = @serial", "serial", f.Serial)
	w.text("holder <> '' AND lower(holder) LIKE @holder", "holder", beginning(f.Holder))
	w.text("("+referenceLike("reference_like")+")", "reference_like", beginning(f.Reference))
	w.text(computerLike("computer"), "computer", beginning(f.Computer))
	if f.OpenTasks {
		w.conditions = append(w.conditions, hasOpenTask)
	}
	w.text("(lower(serial) LIKE @search OR holder <> '' AND lower(holder) LIKE @search OR "+referenceLike("search")+
		" OR "+computerLike("search")+")", "search", beginning(f.Search))
	return w
}

// referenceLike and computerLike are conditions on a stick: how the ticket begins
// that it was handed out or pressed under, and the computer that it carries.
func referenceLike(arg string) string {
	return `(reference <> '' AND lower(reference) LIKE @` + arg + ` OR last_build_id IN
		(SELECT id FROM builds WHERE reference <> '' AND lower(reference) LIKE @` + arg + `))`
}

func computerLike(arg string) string {
	return `last_build_id IN (SELECT id FROM builds WHERE variables ->> 'computer_name' <> ''
		AND lower(variables ->> 'computer_name') LIKE @` + arg + `)`
}

// MatchSticks says which known sticks the devices of a host are: one entry per
// device, zero where there is no stick or more than one that it could be. The ID
// in the manifest on a device counts first, unless two of the devices carry it;
// where there is none that is known, the hardware suggests. By that, a device
// without a serial is never recognised, nor is one whose serial some other
// device has at the same time, here or on another connected host. A virtual
// stick is recognised by its serial on its own host alone.
func (r Reader) MatchSticks(ctx context.Context, host HostID, devices []protocol.Device) ([]StickID, error) {
	q := r.Questions()
	match := askSticks(q, host, devices)
	if err := q.Ask(ctx); err != nil {
		return nil, err
	}
	return match(), nil
}

// askSticks asks as MatchSticks does.
func askSticks(q *Questions, host HostID, devices []protocol.Device) func() []StickID {
	found := make([]StickID, len(devices))
	serials := make([]string, 0, len(devices))
	carried := map[StickID]int{} // how many devices carry it
	for i := range devices {
		d := &devices[i]
		if d.Serial != "" && d.DuplicateOf == 0 {
			serials = append(serials, cleanText(d.Serial))
		}
		if id := carriedBy(d); !id.IsZero() {
			carried[id]++
		}
	}
	if len(serials) == 0 && len(carried) == 0 {
		return func() []StickID { return found }
	}
	args := pgx.NamedArgs{"host": host, "serials": serials, "ids": slices.Collect(maps.Keys(carried))}
	sticks := ask[Stick](q, `SELECT `+stickColumns+` FROM sticks WHERE serial = ANY (@serials) OR id = ANY (@ids)`, args)
	elsewhere := ask[struct{ Serial string }](q,
		`SELECT DISTINCT d ->> 'serial' AS serial FROM hosts, jsonb_array_elements(inventory -> 'devices') AS d
		WHERE jsonb_path_query_array(inventory, '$.devices[*].serial') ?| @serials
			AND id <> @host AND state = 'enrolled' AND connected_at IS NOT NULL AND disconnected_at IS NULL
			AND d ->> 'serial' = ANY (@serials) AND d ->> 'kind' <> 'virtual'`, args)
	return func() []StickID {
		shared := map[string]bool{} // serials that other connected hosts see now
		for _, e := range elsewhere.rows {
			shared[e.Serial] = true
		}
		for i := range devices {
			found[i] = match(host, &devices[i], sticks.rows, carried, shared)
		}
		return found
	}
}

// match is the stick that a device is, or zero.
func match(host HostID, d *protocol.Device, sticks []Stick, carried map[StickID]int, shared map[string]bool) StickID {
	if id := carriedBy(d); carried[id] == 1 && slices.ContainsFunc(sticks, func(s Stick) bool {
		return s.ID == id && s.Kind == d.Kind && s.Bytes == d.Bytes
	}) {
		return id
	}
	if d.Serial == "" || d.DuplicateOf != 0 || d.Kind != protocol.KindVirtual && shared[cleanText(d.Serial)] {
		return StickID{}
	}
	var found []StickID
	for _, s := range sticks {
		if s.is(host, d) {
			found = append(found, s.ID)
		}
	}
	if len(found) != 1 {
		return StickID{}
	}
	return found[0]
}

// carriedBy is the ID in the manifest on a device, zero without one.
func carriedBy(d *protocol.Device) StickID {
	id, err := ParseID[StickID](d.FoundID)
	if err != nil {
		return StickID{}
	}
	return id
}

func (s *Stick) is(host HostID, d *protocol.Device) bool {
	if s.Serial != cleanText(d.Serial) || s.VIDPID != cleanText(d.VIDPID) || s.Bytes != d.Bytes || s.Kind != d.Kind {
		return false
	}
	return d.Kind != protocol.KindVirtual || s.HostID == host && s.Port == cleanText(d.Port)
}

// SticksCalled finds the sticks at some sites (none: all) whose IDs end so: that
// is what people call a stick. At most two are found.
func (r Reader) SticksCalled(ctx context.Context, sites []SiteID, end string) ([]StickID, error) {
	low, ok := lowBits(end)
	if !ok {
		return nil, nil
	}
	rows, _ := r.db.Query(ctx,
		`SELECT id FROM sticks WHERE right(id::text, 8) = @low
			AND (cardinality(@sites::uuid[]) = 0 OR host_id IN (SELECT id FROM hosts WHERE site_id = ANY (@sites))) ORDER BY id LIMIT 100`,
		pgx.NamedArgs{"low": low, "sites": append([]SiteID{}, sites...)})
	ids, err := pgx.CollectRows(rows, pgx.RowTo[StickID])
	ids = slices.DeleteFunc(ids, func(id StickID) bool { return !strings.HasSuffix(id.String(), strings.ToLower(end)) })
	return ids[:min(len(ids), 2)], fail(err, "find sticks by the end of their ID")
}

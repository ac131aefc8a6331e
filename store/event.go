package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// EventType names what happened to a job or a stick. Types are history: they
// are never renamed.
type EventType string

// The events of a job. Those of a build carry BuildID and Attempt; those that
// a host reported carry HostSeq too.
const (
	EventJobQueued          EventType = "job_queued"           // QueuedJob
	EventJobRescheduled     EventType = "job_rescheduled"      // JobSchedule
	EventJobCancelRequested EventType = "job_cancel_requested" //
	EventJobRetried         EventType = "job_retried"          // RetriedJob; an EventBuildRetried follows for each build
	EventJobStarted         EventType = "job_started"          //
	EventJobCancelling      EventType = "job_cancelling"       //
	EventJobSucceeded       EventType = "job_succeeded"        //
	EventJobFailed          EventType = "job_failed"           //
	EventJobCancelled       EventType = "job_cancelled"        //

	EventBuildAssigned  EventType = "build_assigned"   // begins Attempt
	EventBuildAccepted  EventType = "build_accepted"   // as protocol.EventAccepted, and so on
	EventBuildStepBegun EventType = "build_step_begun" // BuildReport.Step
	EventBuildStepDone  EventType = "build_step_done"  // BuildReport.Step
	EventBuildTouched   EventType = "build_touched"    //
	EventBuildLog       EventType = "build_log"        // BuildReport.Log
	EventBuildPreflight EventType = "build_preflight"  // BuildReport.Preflight
	EventBuildVerified  EventType = "build_verified"   // BuildReport.Result
	EventBuildFailed    EventType = "build_failed"     // BuildReport.Fault
	EventBuildCancelled EventType = "build_cancelled"  // BuildReport.Fault
	EventBuildRetried   EventType = "build_retried"    // Attempt is the one that is over
	// EventBuildCancelRequested asks one build to stop, Attempt as it is then.
	EventBuildCancelRequested EventType = "build_cancel_requested"
)

// The events of a stick.
const (
	EventStickRegistered EventType = "stick_registered" // StickSeen
	EventStickSeen       EventType = "stick_seen"       // StickSeen, in another port or host
	EventStickPressing   EventType = "stick_pressing"   // StickContent
	EventStickVerified   EventType = "stick_verified"   // StickContent
	EventStickIncomplete EventType = "stick_incomplete" // StickContent
	EventStickErasing    EventType = "stick_erasing"    // StickContent: the first byte of a wipe
	EventStickWiped      EventType = "stick_wiped"      // StickContent with Wipe and CertificateID
	EventStickReturned   EventType = "stick_returned"   //
	EventStickChecked    EventType = "stick_checked"    // StickCheck
	EventStickIssued     EventType = "stick_issued"     // StickHandover with Holder and Reference
	EventStickLost       EventType = "stick_lost"       // StickHandover with Reason
	EventStickFound      EventType = "stick_found"      // StickHandover with Reason
	EventStickRetired    EventType = "stick_retired"    // StickHandover with Reason
	EventStickUndone     EventType = "stick_undone"     // StickUndone
	// EventStickDataSettled says what became of a user's data: StickDataSettled.
	EventStickDataSettled EventType = "stick_data_settled"
)

// payloadVersion is written with every event; a payload whose meaning changes
// gets a new one, and Apply reads both.
const payloadVersion = 1

// Event is what the histories of jobs and sticks have in common.
type Event struct {
	ID             int64 // unique over all events of its table, in no strict order
	Seq            int64 // within the stream, from 1, without a gap
	BuildID        BuildID
	Attempt        int   // 0: not about an attempt
	HostSeq        int64 // the host's own number; 0: the server made the event
	Type           EventType
	PayloadVersion int
	Payload        json.RawMessage
	ActorKind      ActorKind
	ActorID        ActorID
	At             time.Time  // the server's clock
	HostAt         *time.Time // the host's clock
	Xact           uint64     // the transaction that wrote it: see Cursor
}

// JobEvent is one event of a job.
type JobEvent struct {
	JobID JobID
	Event
}

// StickEvent is one event of a stick.
type StickEvent struct {
	StickID StickID
	Event
}

// QueuedJob is the payload of EventJobQueued: all that the job and its builds
// are made of.
type QueuedJob struct {
	SiteID                SiteID              `json:"site_id"`
	HostID                HostID              `json:"host_id"`
	Kind                  protocol.JobKind    `json:"kind"`
	ImageVersionID        VersionID           `json:"image_version_id"`
	Channel               string              `json:"channel"`
	TaskSequenceVersionID SequenceVersionID   `json:"task_sequence_version_id"`
	Layout                string              `json:"layout"`
	Edition               int                 `json:"edition"`
	Options               protocol.JobOptions `json:"options"`
	Overrides             []string            `json:"overrides,omitempty"`
	Reference             string              `json:"reference"`
	ReferenceSystem       string              `json:"reference_system,omitempty"`
	Holder                string              `json:"holder"`
	Variables             map[string]string   `json:"variables"`
	NotBefore             *time.Time          `json:"not_before,omitempty"`
	Builds                []QueuedBuild       `json:"builds"`
}

// QueuedBuild is one build of QueuedJob.
type QueuedBuild struct {
	BuildID   BuildID `json:"build_id"`
	StickID   StickID `json:"stick_id"`
	Device    Target  `json:"device"`
	Reference string  `json:"reference"`
	// ReferenceSystem is empty without a reference, and before there were systems.
	ReferenceSystem string            `json:"reference_system,omitempty"`
	Holder          string            `json:"holder"`
	Variables       map[string]string `json:"variables"`
}

// RetriedJob is the payload of EventJobRetried.
type RetriedJob struct {
	Overrides []string `json:"overrides,omitempty"` // of the job from now on
}

// BuildReport is the payload of the events of a build.
type BuildReport struct {
	Step      protocol.Step       `json:"step,omitempty"`
	Fault     *protocol.Fault     `json:"fault,omitempty"`
	Result    *protocol.Result    `json:"result,omitempty"`
	Log       *protocol.LogLine   `json:"log,omitempty"`
	Preflight *protocol.Preflight `json:"preflight,omitempty"`
}

// StickSeen is the payload of EventStickRegistered and EventStickSeen.
type StickSeen struct {
	HostID HostID `json:"host_id"`
	Device Target `json:"device"`
}

// StickContent is the payload of the events about what a stick carries.
type StickContent struct {
	ImageVersionID VersionID       `json:"image_version_id,omitzero"`
	Layout         string          `json:"layout,omitempty"`
	DiskID         string          `json:"disk_id,omitempty"`
	Fault          *protocol.Fault `json:"fault,omitempty"`
	// Holder is for whom it is pressed.
	Holder        string               `json:"holder,omitempty"`
	Wipe          *protocol.WipeResult `json:"wipe,omitempty"`
	CertificateID CertificateID        `json:"certificate_id,omitzero"`
}

// Report decodes the payload of an event of a build.
func (e *Event) Report() (BuildReport, error) { return decodePayload[BuildReport](e) }

const (
	eventColumns = `id, seq, build_id, coalesce(attempt, 0) AS attempt, coalesce(host_seq, 0) AS host_seq, type,
	payload_version, payload, actor_kind, actor_id, at, host_at, xact`
	jobEventColumns   = `job_id, ` + eventColumns
	stickEventColumns = `stick_id, ` + eventColumns
)

// JobEvents lists the events of a job after the given seq, oldest first. A page
// is full when it has limit rows (0: 50, never more than 500).
func (r Reader) JobEvents(ctx context.Context, id JobID, after int64, limit int) ([]JobEvent, error) {
	return many[JobEvent](ctx, r.db, "job events",
		`SELECT `+jobEventColumns+` FROM job_events WHERE job_id = @id AND seq > @after ORDER BY seq LIMIT @limit`,
		pgx.NamedArgs{"id": id, "after": after, "limit": pageSize(limit)})
}

// BuildEvents lists the events of one build of a job after the given seq,
// oldest first; of some types alone if there are any.
func (r Reader) BuildEvents(ctx context.Context, job JobID, build BuildID, after int64, limit int, types ...EventType) ([]JobEvent, error) {
	return many[JobEvent](ctx, r.db, "build events",
		`SELECT `+jobEventColumns+` FROM job_events WHERE job_id = @job AND seq > @after AND build_id = @build
			AND (cardinality(@types::text[]) = 0 OR type = ANY (@types)) ORDER BY seq LIMIT @limit`,
		pgx.NamedArgs{"job": job, "build": build, "after": after, "types": append([]EventType{}, types...), "limit": pageSize(limit)})
}

// StickEvents lists the events of a stick after the given seq, oldest first.
func (r Reader) StickEvents(ctx context.Context, id StickID, after int64, limit int) ([]StickEvent, error) {
	return many[StickEvent](ctx, r.db, "stick events",
		`SELECT `+stickEventColumns+` FROM stick_events WHERE stick_id = @id AND seq > @after ORDER BY seq LIMIT @limit`,
		pgx.NamedArgs{"id": id, "after": after, "limit": pageSize(limit)})
}

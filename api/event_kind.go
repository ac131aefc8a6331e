package api

import (
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// Event is something that happened to a job, a build or a stick, as programs
// hear of it: GET /events and webhooks send the same. EventKinds says what each
// type has in its data.
type Event struct {
	ID        string    `json:"id" doc:"Names the event and its place: a reader goes on after it."`
	Type      string    `json:"type" doc:"What happened: job.queued, build.verified, stick.lost, …"`
	Version   int       `json:"version" doc:"Of what the type means."`
	Timestamp time.Time `json:"timestamp" doc:"The server's clock."`
	ActorKind ActorKind `json:"actor_kind" doc:"user, token, host or system."`
	ActorID   string    `json:"actor_id,omitempty" doc:"Who did it; left out for the system."`
	Data      EventData `json:"data"`
}

// EventData is what an event is about. What does not belong to its type is left
// out.
type EventData struct {
	JobID       string      `json:"job_id,omitempty"`
	BuildID     string      `json:"build_id,omitempty"`
	Attempt     int         `json:"attempt,omitempty" doc:"Of the build, from 1."`
	StickID     string      `json:"stick_id,omitempty"`
	HostID      string      `json:"host_id,omitempty"`
	SiteID      string      `json:"site_id,omitempty"`
	ExternalRef ExternalRef `json:"external_ref,omitzero" doc:"The ticket: the build's own, else the job's; where neither is about the event, that of who has the stick."`

	Kind           protocol.JobKind `json:"kind,omitempty" doc:"Of the job."`
	ImageVersionID string           `json:"image_version_id,omitempty"`
	Channel        string           `json:"channel,omitempty"`
	Layout         string           `json:"layout,omitempty"`
	Builds         int              `json:"builds,omitempty" doc:"How many sticks the job is for."`
	NotBefore      *time.Time       `json:"not_before,omitempty"`
	Step           protocol.Step    `json:"step,omitempty"`
	Fault          *EventFault      `json:"fault,omitempty"`
	BytesWritten   int64            `json:"bytes_written,omitempty"`
	BytesVerified  int64            `json:"bytes_verified,omitempty"`
	Holder         string           `json:"holder,omitempty" doc:"Who the stick is for, or has it."`
	Reason         string           `json:"reason,omitempty"`
	CertificateID  string           `json:"certificate_id,omitempty"`
	Outcome        string           `json:"outcome,omitempty" doc:"Of a comparison with what was recorded, or what became of a user's data."`
}

// EventFault is why something failed.
type EventFault struct {
	Code    string            `json:"code"`
	Params  map[string]string `json:"params,omitempty"`
	Touched bool              `json:"touched" doc:"Whether the stick may have changed."`
}

// EventKind is a type of events. The catalogue has a sentence for it under
// "event_type.<Of>".
type EventKind struct {
	Type    string // as programs spell it
	Of      store.EventType
	Version int
	Data    []string // what the event has beside the IDs of what it is about
}

// EventKinds are all types of events that programs hear of, in the order of
// docs/events.md. What is not here is in a job's own history alone: the lines of
// logs.
var EventKinds = []EventKind{
	kindOf(store.EventJobQueued, "kind", "image_version_id", "channel", "layout", "builds", "holder", "not_before"),
	kindOf(store.EventJobRescheduled, "not_before"),
	kindOf(store.EventJobStarted),
	kindOf(store.EventJobCancelRequested),
	kindOf(store.EventJobCancelling),
	kindOf(store.EventJobRetried),
	kindOf(store.EventJobSucceeded),
	kindOf(store.EventJobFailed),
	kindOf(store.EventJobCancelled),
	kindOf(store.EventBuildAssigned),
	kindOf(store.EventBuildAccepted),
	kindOf(store.EventBuildStepBegun, "step"),
	kindOf(store.EventBuildStepDone, "step"),
	kindOf(store.EventBuildPreflight),
	kindOf(store.EventBuildTouched),
	kindOf(store.EventBuildCancelRequested),
	kindOf(store.EventBuildVerified, "bytes_written", "bytes_verified"),
	kindOf(store.EventBuildFailed, "fault"),
	kindOf(store.EventBuildCancelled, "fault"),
	kindOf(store.EventBuildRetried),
	kindOf(store.EventStickRegistered),
	kindOf(store.EventStickSeen),
	kindOf(store.EventStickPressing, "holder"),
	kindOf(store.EventStickVerified, "image_version_id", "layout"),
	kindOf(store.EventStickIncomplete, "fault"),
	kindOf(store.EventStickErasing),
	kindOf(store.EventStickWiped, "certificate_id"),
	kindOf(store.EventStickChecked, "outcome", "fault"),
	kindOf(store.EventStickIssued, "holder"),
	kindOf(store.EventStickReturned),
	kindOf(store.EventStickLost, "reason"),
	kindOf(store.EventStickFound, "reason"),
	kindOf(store.EventStickRetired, "reason"),
	kindOf(store.EventStickDataSettled, "outcome", "reason"),
	kindOf(store.EventStickUndone),
}

// EventPing is the type of a webhook's test, which is no event: nothing
// happened.
const EventPing = "ping"

// kindOf spells a type as programs do, with a dot after what it is about.
func kindOf(t store.EventType, data ...string) EventKind {
	return EventKind{Type: strings.Replace(string(t), "_", ".", 1), Of: t, Version: 1, Data: data}
}

// eventTypes reads types as programs spell them. Faults: event_type_unknown.
func eventTypes(names []string) ([]store.EventType, error) {
	out := make([]store.EventType, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(EventKinds, func(k EventKind) bool { return k.Type == name })
		if i < 0 {
			return nil, errEventType(name)
		}
		out = append(out, EventKinds[i].Of)
	}
	return out, nil
}

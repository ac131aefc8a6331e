// Package wire is the bodies of the REST API's requests, as JSON.
//
// The door (api/rest) turns them into the inputs of package api, the client
// (api/client) makes them of those inputs: one type for both keeps them from
// drifting apart. What the API answers are the view types of package api as
// they are, and Problem. Struct tags beyond json are read by huma into the
// OpenAPI document and checked before a use case is called; rules that another
// door shares are not repeated here.
//
// A revision travels in If-Match and ETag, an idempotency key in its header.
package wire

import (
	"math"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// Prefix is where the API lives on the server.
const Prefix = "/api/v1"

// Headers of requests and answers.
const (
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderRequestID      = "X-Request-ID"
	HeaderAPIKey         = "X-API-Key"
	// HeaderIdempotentReplayed is "true" on a reply that was given before.
	HeaderIdempotentReplayed = "Idempotent-Replayed"
	// HeaderIdempotentOmitted names the secrets that a replay has no more.
	HeaderIdempotentOmitted = "Idempotent-Omitted"
)

// Items is a list that has no pages.
type Items[T any] struct {
	Items []T `json:"items"`
}

// QueueJob is the body of POST /jobs.
type QueueJob struct {
	Kind         protocol.JobKind    `json:"kind,omitempty" doc:"'press' if empty, 'raw', 'verify', 'wipe' or 'capture'."`
	Image        string              `json:"image,omitempty" doc:"Name or ID of an image. May be left out if version is a version ID."`
	Version      string              `json:"version,omitempty" doc:"SemVer or version ID. Without it the channel is resolved."`
	Channel      string              `json:"channel,omitempty" doc:"Channel of the image; 'stable' if empty. The job records the exact version. With a version, the channel must still point to it."`
	Host         string              `json:"host" minLength:"1" doc:"ID or name of the imaging host."`
	Devices      []QueueDevice       `json:"devices" minItems:"1" doc:"The sticks, exactly as GET /hosts/{host} shows them."`
	TaskSequence string              `json:"task_sequence,omitempty" doc:"Name or ID; the default one if empty."`
	Layout       string              `json:"layout,omitempty" doc:"'mbr-dual' or 'gpt-uefi'; the task sequence's if empty."`
	Edition      int                 `json:"edition,omitempty" minimum:"0" doc:"Index in the image, from 1; 0 means the task sequence's."`
	Options      protocol.JobOptions `json:"options,omitzero" doc:"What the kind asks for beyond image and sticks."`
	Overrides    []string            `json:"overrides,omitempty" doc:"Codes of refusals that are to pass; admins only, and not every code. Recorded."`
	ExternalRef  api.ExternalRef     `json:"external_ref,omitzero" doc:"What the builds are called elsewhere, such as a ticket. A reference belongs to one job until its builds are over: another job is refused (409, reference_open, with the Location of the one that has it)."`
	Holder       string              `json:"holder,omitempty" doc:"Who gets the sticks: default of the builds."`
	Variables    map[string]string   `json:"variables,omitempty" doc:"Variables of the answer file. computer_name may be a pattern with {n}, {n:02}, {ticket} and {user}."`
	NotBefore    *time.Time          `json:"not_before,omitempty" doc:"The host gets the job then, or when it is back after that; at once if left out. At most 366 days ahead."`

	StickRequests []string `json:"stick_requests,omitempty" maxItems:"32" doc:"IDs of requests of tickets for which the sticks are: all of them for one, else each for the one whose ticket is its reference. Holder, external_ref and the computer's name that are left out are those of one request."`
}

// QueueDevice is one stick of QueueJob.
type QueueDevice struct {
	Identity    protocol.Identity `json:"identity" doc:"What the host reported. Any difference at the time of writing refuses the write."`
	ExternalRef api.ExternalRef   `json:"external_ref,omitzero" doc:"In place of the job's."`
	Holder      string            `json:"holder,omitempty"`
	Variables   map[string]string `json:"variables,omitempty" doc:"Over those of the job."`
}

// QueueJobOf returns an input's body.
func QueueJobOf(in api.QueueJobInput) QueueJob {
	b := QueueJob{
		Kind: in.Kind, Image: in.Image, Version: in.Version, Channel: in.Channel, Host: in.Host,
		Devices: make([]QueueDevice, 0, len(in.Devices)), TaskSequence: in.TaskSequence, Layout: in.Layout, Edition: in.Edition,
		Options: in.Options, Overrides: in.Overrides,
		ExternalRef: in.ExternalRef, Holder: in.Holder, Variables: in.Variables, NotBefore: in.NotBefore,
		StickRequests: in.StickRequests,
	}
	for _, d := range in.Devices {
		b.Devices = append(b.Devices, QueueDevice(d))
	}
	return b
}

// Input is the body as the console takes it.
func (b QueueJob) Input() api.QueueJobInput {
	in := api.QueueJobInput{
		Kind: b.Kind, Image: b.Image, Version: b.Version, Channel: b.Channel, Host: b.Host,
		TaskSequence: b.TaskSequence, Layout: b.Layout, Edition: b.Edition, Options: b.Options, Overrides: b.Overrides,
		ExternalRef: b.ExternalRef, Holder: b.Holder, Variables: b.Variables, NotBefore: b.NotBefore,
		StickRequests: b.StickRequests,
	}
	for _, d := range b.Devices {
		in.Devices = append(in.Devices, api.QueueDevice(d))
	}
	return in
}

// RetryBuilds is the body of POST /jobs/{job}/retries.
type RetryBuilds struct {
	Builds    []string `json:"builds,omitempty" doc:"IDs of builds; all that failed or were cancelled if left out."`
	Overrides []string `json:"overrides,omitempty" doc:"Codes of refusals that are to pass from now on, besides the job's own; admins only. Recorded."`
}

// CreateImage is the body of POST /images.
type CreateImage struct {
	Name        string `json:"name" doc:"1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit."`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}

// PublishVersion is the body of POST /versions.
type PublishVersion struct {
	UploadID string `json:"upload_id,omitempty" doc:"A finished upload, by its ID or tus ID; or"`
	SHA256   string `json:"sha256,omitempty" doc:"a file that the store holds."`
	Image    string `json:"image" minLength:"1" doc:"Name or ID; an image of this name is made if there is none."`
	Version  string `json:"version" minLength:"1" doc:"SemVer, unique within the image."`
	Commit   string `json:"commit,omitempty" doc:"Source commit."`
	Notes    string `json:"notes,omitempty"`
	Channel  string `json:"channel,omitempty" doc:"Set to the new version if given."`
}

// SetBlockMap is the body of PUT /versions/{version}/block-map.
type SetBlockMap struct {
	BlockMap string `json:"block_map,omitempty" doc:"The map's XML, as bmaptool create writes it. Left out, the one that is there is kept."`
	Trusted  bool   `json:"trusted" doc:"Jobs write only what a trusted map lists; without one they write everything."`
}

// Reason is the body of requests that end something.
type Reason struct {
	Reason string `json:"reason,omitempty" doc:"Kept in the audit log."`
}

// SetHostPorts is the body of PUT /hosts/{host}/ports.
type SetHostPorts struct {
	Items []api.HostPort `json:"items" maxItems:"999" doc:"All numbered sockets of the host; the others lose their numbers."`
}

// Calibrate is the body of POST /hosts/{host}/calibrations.
type Calibrate struct {
	Hub   string `json:"hub,omitempty" doc:"What tells apart hubs that are numbered alike, such as 'A'."`
	First int    `json:"first,omitempty" doc:"The number to begin with; 1 if left out."`
}

// StepCalibration is the body of POST /hosts/{host}/calibration-steps.
type StepCalibration struct {
	Step api.CalibrationStep `json:"step" enum:"undo,skip,finish"`
}

// Identify is the body of POST /hosts/{host}/identifications.
type Identify struct {
	Identity protocol.Identity `json:"identity" doc:"A device as the host's inventory shows it."`
	Seconds  int               `json:"seconds,omitempty" minimum:"1" maximum:"60" doc:"How long; 10 if left out."`
}

// SetChannel is the body of PUT /images/{image}/channels/{channel}.
type SetChannel struct {
	Version string `json:"version" minLength:"1" doc:"SemVer or ID of a published version of the image."`
}

// CreateEnrolment is the body of POST /enrolments.
type CreateEnrolment struct {
	SiteID     string `json:"site_id,omitempty" doc:"The default site if empty."`
	TTLSeconds int64  `json:"ttl_seconds,omitempty" minimum:"0" maximum:"604800" doc:"0 means one hour."`
}

// SaveTemplate is the body of POST /templates and PUT /templates/{template}.
type SaveTemplate struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Source      string `json:"source" doc:"unattend.xml with variables."`
}

// CheckTemplate is the body of POST /template-checks.
type CheckTemplate struct {
	Source string `json:"source" doc:"unattend.xml with variables."`
}

// RenderTemplate is the body of POST /templates/{template}/renderings: what the
// job would be queued with.
type RenderTemplate struct {
	ExternalRef api.ExternalRef   `json:"external_ref,omitzero"`
	Holder      string            `json:"holder,omitempty"`
	Variables   map[string]string `json:"variables,omitempty" doc:"computer_name may be a pattern, as of a job. What only a job would know (job_id, build_id, stick_id, image, version) is empty unless it is given. One that the template does not ask for is refused, but for computer_name."`
}

// SaveTaskSequence is the body of POST /task-sequences and
// PUT /task-sequences/{task_sequence}.
type SaveTaskSequence struct {
	Name        string               `json:"name"`
	Description string               `json:"description,omitempty"`
	Spec        api.TaskSequenceSpec `json:"spec"`
	Template    string               `json:"template,omitempty" doc:"ID or name of a template (its current version is taken), or ID of a template version; empty means no answer file."`
}

// CreateWebhook is the body of POST /webhooks.
type CreateWebhook struct {
	URL         string   `json:"url" doc:"Where messages are sent, by POST: https://…"`
	Description string   `json:"description,omitempty"`
	Types       []string `json:"types,omitempty" doc:"Of the events to send; all if left out."`
	Sites       []string `json:"sites,omitempty" doc:"IDs of the sites whose events to send; all if left out."`
}

// ChangeWebhook is the body of PATCH /webhooks/{webhook}; what is left out stays.
type ChangeWebhook struct {
	URL         *string   `json:"url,omitempty"`
	Description *string   `json:"description,omitempty"`
	Types       *[]string `json:"types,omitempty" doc:"Of the events to send; an empty list is all."`
	Sites       *[]string `json:"sites,omitempty" doc:"IDs of the sites whose events to send; an empty list is all."`
}

// RotateSecret is the body of POST /webhooks/{webhook}/secrets.
type RotateSecret struct {
	OverlapSeconds int64 `json:"overlap_seconds,omitempty" minimum:"0" maximum:"604800" doc:"How long the secret before signs, too; a day if left out or 0."`
}

// CreateToken is the body of POST /tokens.
type CreateToken struct {
	Name       string           `json:"name"`
	Role       string           `json:"role" doc:"'viewer', 'helpdesk' or 'admin': at most the owner's and one's own."`
	Sites      []string         `json:"sites,omitempty" doc:"IDs of sites that the owner and oneself have; all of them if left out."`
	Scopes     []api.TokenScope `json:"scopes,omitempty" doc:"What it is for, below the role; whatever that allows if left out, or what the token that asks is for."`
	TTLSeconds int64            `json:"ttl_seconds,omitempty" minimum:"0" doc:"0 means that it does not expire."`
	Login      string           `json:"login,omitempty" doc:"The owner; oneself if empty. Others for admins only."`
}

// BeginPairing is the body of POST /pairings.
type BeginPairing struct {
	Client string `json:"client" minLength:"1" maxLength:"64" doc:"What the person is told of who asks, such as 'ada@laptop'; the token is called so."`
}

// EndPairing is the body of POST /pairings/{pairing}/tokens.
type EndPairing struct {
	Secret string `json:"secret"`
}

// CreateUser is the body of POST /users.
type CreateUser struct {
	Login    string   `json:"login"`
	Name     string   `json:"name,omitempty" doc:"As shown; the login if empty."`
	Role     string   `json:"role" doc:"'viewer', 'helpdesk' or 'admin'."`
	Sites    []string `json:"sites,omitempty" doc:"IDs of the sites that the person sees and uses; every site if left out."`
	Locale   string   `json:"locale,omitempty" doc:"'en', 'zh-CN', or empty: what the browser asks for."`
	Password string   `json:"password,omitempty" doc:"May be empty: then only sign-in links let the person in."`
}

// Seconds is d as a ttl_seconds, rounded up.
func Seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// Duration is what ttl_seconds means; what is more than a Duration holds, 292
// years, becomes that.
func Duration(seconds int64) time.Duration {
	return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second
}

// SaveExclusions is the body of PUT /capture-exclusions.
type SaveExclusions struct {
	List string `json:"list" doc:"One glob a line, as in the [ExclusionList] of DISM's WimScript.ini: '\\pagefile.sys' from the root of the volume, '*.bak' in any folder. Empty for the list as it came."`
}

// ScheduleJob is the body of PUT /jobs/{job}/schedule.
type ScheduleJob struct {
	NotBefore *time.Time `json:"not_before" doc:"When the host gets the job; null means at once."`
}

// SettleStickData says what becomes of a user's data on a stick that came back.
type SettleStickData struct {
	Data   string `json:"data" enum:"none,copied,given_up" doc:"It holds none; it was copied; its loss is signed."`
	Signer string `json:"signer,omitempty" maxLength:"200" doc:"Of given_up: who answers for the loss."`
	Reason string `json:"reason,omitempty" maxLength:"4000" doc:"Of given_up: why. Of copied: where the copy lies."`
}

package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// QueueJobInput asks for a job.
type QueueJobInput struct {
	Kind protocol.JobKind // empty means protocol.JobPress
	// Image is a name or ID; Version a SemVer or version ID. Without Version
	// the Channel (DefaultChannel if empty) is resolved; with it a Channel must
	// still point to that version. Image may be empty when Version is a version
	// ID.
	Image   string
	Version string
	Channel string
	Host    string // ID or name
	Devices []QueueDevice
	// TaskSequence is a name or ID; empty means the default one.
	TaskSequence string
	Layout       string // empty means the task sequence's
	Edition      int    // 0 means the task sequence's
	Options      protocol.JobOptions
	// Overrides are codes of faults that are to pass (admin), see Overridable.
	Overrides   []string
	ExternalRef ExternalRef // a ticket, default of the builds
	Holder      string      // default of the builds
	// Variables go into the answer files. The one named computer_name may be a
	// pattern, see ComputerName.
	Variables map[string]string
	// NotBefore keeps the job from its host until then; nil begins at once.
	NotBefore *time.Time
	// StickRequests are the requests of tickets (IDs) for which the sticks are:
	// see answerRequests. What the job leaves open of one alone, it takes from
	// there: see ofRequest. Of JobPress.
	StickRequests []string
	// IdempotencyKey, if not empty, makes a repeated request return the first
	// one's job. The same key with another request is refused.
	IdempotencyKey string
}

// QueueDevice is one device as the user saw and confirmed it.
type QueueDevice struct {
	Identity    protocol.Identity
	ExternalRef ExternalRef // the job's if empty
	Holder      string
	Variables   map[string]string // over the job's
}

// variableForm is what placeholders of templates look like.
var variableForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// MaxDevices is how many sticks one job may have.
const MaxDevices = 32

// Bounds of a request.
const (
	maxText      = 200  // of a reference or a holder, in characters
	maxValue     = 4096 // of a variable, in bytes
	maxVariables = 100
)

// QueueJob checks a request and queues it (helpdesk; a capture: admin). Nothing is queued if any
// of it is refused. Faults: kind_unknown, override_unknown, image_not_found, image_version_not_found,
// channel_not_found, version_withdrawn, format_refused, edition_missing,
// architecture_refused, host_not_found, host_revoked, host_outdated,
// task_sequence_not_found, layout_unknown, devices_missing, devices_too_many,
// device_twice, device_gone, device_changed, any of a device's own refusals,
// device_too_small, device_sector_size,
// image_too_big, image_too_old_for_removable, stick_busy, stick_data_open, reference_open, reference_system_invalid,
// stick_not_wiped, wipe_invalid, text_too_long,
// variable_invalid, computer_name_invalid, computer_name_pattern,
// computer_name_twice, channel_moved, schedule_past, schedule_too_far, template_unknown_variable, template_value_invalid,
// template_too_large, stick_request_not_found, stick_request_over,
// stick_request_unmatched, idempotency_reused.
func (c *Console) QueueJob(ctx context.Context, a Actor, in QueueJobInput) (Job, error) {
	if err := allow(a, UseQueueJob); err != nil {
		return Job{}, err
	}
	if in.Kind == protocol.JobCapture {
		if err := allow(a, UseCapture); err != nil {
			return Job{}, err
		}
	}
	wrong := fault.All(checkOverrides(a, in.Overrides), checkRequest(&in))
	if err := checkDevices(in.Devices); err != nil {
		return Job{}, fault.All(wrong, err)
	}
	if in.IdempotencyKey != "" && wrong == nil {
		return c.queueOnce(ctx, a, in)
	}
	var queued Job
	err := c.change(ctx, a, UseQueueJob, func(tx *store.Tx, by store.Actor) error {
		asked, err := ofRequest(ctx, tx, a, in)
		p, unplanned := c.plan(ctx, tx, a, &asked)
		if err := fault.All(wrong, err, unplanned); err != nil {
			return err
		}
		p.job.By = by
		j, err := tx.QueueJob(ctx, p.job)
		if err != nil {
			return err
		}
		if err := p.checkAnswers(&j); err != nil {
			return err
		}
		if err := c.answerRequests(ctx, tx, a, by, in.StickRequests, &j); err != nil {
			return err
		}
		p.names.tellActor(a)
		if queued, err = c.jobOf(ctx, p.names, &j); err != nil {
			return err
		}
		new(stepBoard).fill(&queued) // none has begun
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseQueueJob), ObjectKind: "job", ObjectID: queued.ID,
			After: map[string]any{
				"kind": j.Kind, "options": j.Options, "overrides": j.Overrides, "host_id": j.HostID, "image_version_id": j.ImageVersionID, "channel": j.Channel, "layout": j.Layout,
				"edition": j.Edition, "task_sequence_version_id": j.TaskSequenceVersionID, "reference": j.Reference, "reference_system": j.ReferenceSystem,
				"not_before": j.NotBefore, "ports": p.ports(),
			},
		})
	})
	if err != nil {
		return Job{}, c.inTheWay(ctx, a, err)
	}
	return queued, nil
}

// queueOnce is QueueJob for a request with a key.
func (c *Console) queueOnce(ctx context.Context, a Actor, in QueueJobInput) (Job, error) {
	key := in.IdempotencyKey
	in.IdempotencyKey = ""
	raw, err := json.Marshal(in)
	if err != nil {
		return Job{}, fmt.Errorf("encode the request: %w", err)
	}
	sum := sha256.Sum256(raw)
	var j Job
	before, err := c.once(ctx, a, "queue_job "+key, sum[:], func(a Actor) (err error) {
		j, err = c.QueueJob(ctx, a, in)
		return err
	})
	if err != nil || j.ID != "" {
		return j, err
	}
	for _, id := range before {
		if _, err := store.ParseID[store.JobID](id); err == nil {
			return c.GetJob(ctx, a, id)
		}
	}
	return Job{}, fmt.Errorf("the request %q queued no job: %v", key, before)
}

// checkDevices refuses a number of sticks that no job has.
func checkDevices(devices []QueueDevice) error {
	switch {
	case len(devices) == 0:
		return fault.New(fault.KindInvalid, CodeNoDevices).At("devices")
	case len(devices) > MaxDevices:
		return fault.New(fault.KindInvalid, CodeTooManyDevices, "most", MaxDevices).At("devices")
	}
	return nil
}

// checkRequest refuses what needs no look at the database, all of it.
func checkRequest(in *QueueJobInput) error {
	var wrong []error
	if in.Options.EraseFirst && !slices.Contains([]protocol.JobKind{protocol.JobPress, protocol.JobRaw}, in.Kind.OrPress()) {
		wrong = append(wrong, fault.New(fault.KindInvalid, store.CodeValueInvalid, "field", "options.erase_first").At("options.erase_first"))
	}
	if len(in.StickRequests) > MaxDevices || len(in.StickRequests) > 0 && in.Kind.OrPress() != protocol.JobPress {
		wrong = append(wrong, fault.New(fault.KindInvalid, store.CodeValueInvalid, "field", "stick_requests").At("stick_requests"))
	}
	if in.Layout != "" && !slices.Contains(store.Layouts, in.Layout) {
		wrong = append(wrong, errLayout(in.Layout))
	}
	if in.Edition < 0 {
		wrong = append(wrong, fault.New(fault.KindInvalid, CodeEditionInvalid, "edition", in.Edition).At("edition"))
	}
	wrong = append(wrong, checkTexts("", in.ExternalRef, in.Holder, in.Variables))
	places := map[socket]bool{}
	for i, d := range in.Devices {
		at := socket{d.Identity.Port, d.Identity.LUN}
		if places[at] {
			wrong = append(wrong, fault.New(fault.KindInvalid, CodeDeviceTwice, "port", at.port).At(deviceField(i)))
		}
		places[at] = true
		wrong = append(wrong, checkTexts(deviceField(i)+".", d.ExternalRef, d.Holder, d.Variables))
	}
	return fault.All(wrong...)
}

func (in *QueueJobInput) ports() []string {
	ports := make([]string, len(in.Devices))
	for i := range in.Devices {
		ports[i] = in.Devices[i].Identity.Port
	}
	return ports
}

func deviceField(i int) string { return fmt.Sprintf("devices[%d]", i) }

// checkTexts refuses what cannot be kept of a job, or of one of its sticks, all of it.
func checkTexts(prefix string, ref ExternalRef, holder string, vars map[string]string) error {
	var reference, variables error
	if utf8.RuneCountInString(ref.ID) > maxText {
		reference = fault.New(fault.KindInvalid, CodeTextTooLong, "field", "reference", "max", maxText).At(prefix + "external_ref.id")
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if value := vars[name]; variables == nil && (!variableForm.MatchString(name) || len(value) > maxValue || len(vars) > maxVariables || !utf8.ValidString(value)) {
			variables = fault.New(fault.KindInvalid, CodeVariableInvalid, "name", name).At(prefix + "variables")
		}
	}
	return fault.All(ref.check(prefix), reference, tooLong(prefix+"holder", holder, maxText), variables)
}

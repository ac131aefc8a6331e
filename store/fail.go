package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stickpress/stickpress/api/fault"
)

// The codes of this package's faults, beside <kind>_not_found of each kind.
const (
	CodeStale             fault.Code = "stale"                // the row's revision is another one: kind, id
	CodeStickBusy         fault.Code = "stick_busy"           // port, job: a build that is not over holds the stick
	CodeNameTaken         fault.Code = "name_taken"           // kind
	CodeVersionExists     fault.Code = "version_exists"       // an image version's number
	CodeNameInvalid       fault.Code = "name_invalid"         // kind
	CodeHostEnrolled      fault.Code = "host_enrolled"        // the public key has a host already
	CodeHostRevoked       fault.Code = "host_revoked"         //
	CodeSessionStale      fault.Code = "session_stale"        // a newer socket of this host is open
	CodeTokenInvalid      fault.Code = "token_invalid"        // unknown, used, expired or revoked: never says which
	CodeJobBegun          fault.Code = "job_begun"            // state
	CodeJobEnded          fault.Code = "job_ended"            // state
	CodeBuildEnded        fault.Code = "build_ended"          // state
	CodeVersionWithdrawn  fault.Code = "version_withdrawn"    //
	CodeReferenceMissing  fault.Code = "reference_missing"    // kind: names a record that does not exist
	CodeIdempotencyReused fault.Code = "idempotency_reused"   // the key came with another request before
	CodeJobCancelling     fault.Code = "job_cancelling"       // somebody is stopping the job, and its host has not ended all of it
	CodeRetryNothing      fault.Code = "retry_nothing"        // state: no build of the job failed or was cancelled
	CodeStickRewritten    fault.Code = "stick_rewritten"      // port, job: a later job wrote to the stick
	CodeReferenceOpen     fault.Code = "reference_open"       // system, reference, job: that has it and is not over
	CodeAttemptLeased     fault.Code = "attempt_leased"       // the host has not said that the old attempt is over
	CodeSchemaTooNew      fault.Code = "schema_too_new"       // min_app, app
	CodeExtensionMissing  fault.Code = "extension_missing"    // extension: Postgres was installed without it
	CodeDatabaseRights    fault.Code = "database_rights"      // role, database, extension: may not create what is needed
	CodeKeyMissing        fault.Code = "master_key_missing"   // key
	CodeSealBroken        fault.Code = "seal_broken"          // the sealed bytes were changed or moved
	CodeHostLost          fault.Code = "host_lost"            // in the history of a build
	CodeOutOfOrder        fault.Code = "agent_out_of_order"   // in the history of a build: an end that the map does not allow
	CodeHistoryRefused    fault.Code = "history_append_only"  // somebody tried to change history
	CodeSetupDone         fault.Code = "setup_done"           // there is an admin already
	CodeValueInvalid      fault.Code = "value_invalid"        // field
	CodeTextInvalid       fault.Code = "text_invalid"         // bytes that are no text
	CodeNoSticks          fault.Code = "job_without_sticks"   //
	CodeVersionOfOther    fault.Code = "version_not_of_image" // a channel's version is of another image
	CodeStickNotWiped     fault.Code = "stick_not_wiped"      // port, holder: the previous one
	CodeStickLost         fault.Code = "stick_lost"           // port: it must be found first
	CodeStickRetired      fault.Code = "stick_retired"        // port
	CodeStickIssued       fault.Code = "stick_issued"         // holder: who has it
	CodeStickUnready      fault.Code = "stick_unready"        // state: it must not be handed out
	CodeStickPlace        fault.Code = "stick_place"          // life: that cannot be done from there
	CodeStickDataOpen     fault.Code = "stick_data_open"      // port, stick: it came back, and nobody said what becomes of its user's data
	CodeStickDataSettled  fault.Code = "stick_data_settled"   // that is said already, or was never asked
	CodeStickDataUsed     fault.Code = "stick_data_used"      // Windows has run from it: it does not hold none
	CodeStickMovedOn      fault.Code = "stick_moved_on"       // something happened to it since: there is nothing to take back
	CodeRecordRefused     fault.Code = "record_refused"       // common: no stick of the host needs it, or it is something else
	CodePortTaken         fault.Code = "port_taken"           // a number or a socket stands there twice
	CodeUnpublished       fault.Code = "capture_unpublished"  // in the history of a build: its host names no version that its job published
	CodeSiteInUse         fault.Code = "site_in_use"          // site, hosts, jobs: that are still there
	CodeSiteDefault       fault.Code = "site_default"         // site
	CodeSiteClosed        fault.Code = "site_closed"          // site
	CodeOtherContent      fault.Code = "verify_other_content" // image, version: what a stick carries in place of what is recorded
	CodeWipeOther         fault.Code = "wipe_other_stick"     // port, stick: that is in it, and that the job is not about
	CodeWipeUnproven      fault.Code = "wipe_unproven"        // in the history of a build: its host does not say that all was read back
	CodeCursorAhead       fault.Code = "cursor_ahead"         // a place in the feed of events that this database has never reached
)

// constraints turns a violated constraint into what it means.
var constraints = map[string]*fault.Error{
	"sites_name_key":                                  NameTaken("site"),
	"sites_name_check":                                badName("site"),
	"saved_views_name_key":                            NameTaken("view"),
	"saved_views_shared_key":                          NameTaken("view"),
	"saved_views_name_check":                          badName("view"),
	"users_login_key":                                 NameTaken("user").At("login"),
	"users_login_check":                               badName("user").At("login"),
	"users_role_check":                                value("role"),
	"api_tokens_name_check":                           badName("token"),
	"api_tokens_role_check":                           value("role"),
	"api_tokens_user_id_fkey":                         missing("user"),
	"one_time_tokens_user_id_fkey":                    missing("user"),
	"one_time_tokens_site_id_fkey":                    missing("site"),
	"images_name_key":                                 NameTaken("image"),
	"images_name_check":                               badName("image"),
	"image_versions_version_key":                      fault.New(fault.KindConflict, CodeVersionExists).At("version"),
	"image_versions_format_check":                     value("format"),
	"image_versions_image_id_fkey":                    missing("image"),
	"image_versions_sha256_fkey":                      missing("blob"),
	"channels_name_key":                               NameTaken("channel"),
	"channels_name_check":                             badName("channel"),
	"channels_image_id_fkey":                          missing("image"),
	"channels_image_version_id_fkey":                  fault.New(fault.KindInvalid, CodeVersionOfOther).At("version"),
	"unattend_templates_name_key":                     NameTaken("template"),
	"unattend_templates_name_check":                   badName("template"),
	"unattend_template_versions_template_id_fkey":     missing("template"),
	"task_sequences_name_key":                         NameTaken("task_sequence"),
	"task_sequences_name_check":                       badName("task_sequence"),
	"task_sequence_versions_layout_check":             value("layout"),
	"task_sequence_versions_edition_check":            value("edition"),
	"task_sequence_versions_boot_signature_check":     value("boot_signature"),
	"task_sequence_versions_task_sequence_id_fkey":    missing("task_sequence"),
	"task_sequence_versions_template_version_id_fkey": missing("template_version"),
	"hosts_name_key":                                  NameTaken("host"),
	"hosts_name_check":                                badName("host"),
	"hosts_public_key_key":                            fault.New(fault.KindConflict, CodeHostEnrolled),
	"hosts_public_key_check":                          value("public_key"),
	"hosts_site_id_fkey":                              missing("site"),
	"connectors_name_key":                             NameTaken("connector"),
	"connectors_name_check":                           badName("connector"),
	"connectors_title_check":                          value("title"),
	"connectors_system_check":                         value("system"),
	"connectors_method_check":                         value("method"),
	"stick_requests_ticket_check":                     value("ticket"),
	"stick_requests_sticks_check":                     value("sticks"),
	"stick_requests_site_id_fkey":                     missing("site"),
	"host_ports_pkey":                                 fault.New(fault.KindInvalid, CodePortTaken).At("number"),
	"host_ports_socket_key":                           fault.New(fault.KindInvalid, CodePortTaken).At("socket"),
	"jobs_kind_check":                                 value("kind"),
	"jobs_image_version_id_fkey":                      missing("image_version"),
	"jobs_task_sequence_version_id_fkey":              missing("task_sequence_version"),
	"builds_device_busy_key":                          fault.New(fault.KindConflict, CodeStickBusy),
	"builds_stick_busy_key":                           fault.New(fault.KindConflict, CodeStickBusy),
	"builds_reference_open_excl":                      fault.New(fault.KindConflict, CodeReferenceOpen).At("external_ref"),
	"builds_stick_id_fkey":                            missing("stick"),
	"audit_append_only":                               fault.New(fault.KindConflict, CodeHistoryRefused, "kind", "audit"),
	"job_events_append_only":                          fault.New(fault.KindConflict, CodeHistoryRefused, "kind", "job_events"),
	"stick_events_append_only":                        fault.New(fault.KindConflict, CodeHistoryRefused, "kind", "stick_events"),
	"image_versions_append_only":                      fault.New(fault.KindConflict, CodeHistoryRefused, "kind", "image_versions"),
	"unattend_template_versions_append_only":          fault.New(fault.KindConflict, CodeHistoryRefused, "kind", "unattend_template_versions"),
	"certificates_append_only":                        fault.New(fault.KindConflict, CodeHistoryRefused, "kind", "certificates"),
	"task_sequence_versions_append_only":              fault.New(fault.KindConflict, CodeHistoryRefused, "kind", "task_sequence_versions"),
}

// NameTaken is the fault of a name that another record of its kind has.
func NameTaken(kind string) *fault.Error {
	return fault.New(fault.KindConflict, CodeNameTaken, "kind", kind).At("name")
}

func badName(kind string) *fault.Error {
	return fault.New(fault.KindInvalid, CodeNameInvalid, "kind", kind).At("name")
}

func value(field string) *fault.Error {
	return fault.New(fault.KindInvalid, CodeValueInvalid, "field", field).At(field)
}

func missing(kind string) *fault.Error {
	return fault.New(fault.KindInvalid, CodeReferenceMissing, "kind", kind)
}

// fail gives err its meaning: a violated constraint becomes its fault, a fault
// stays what it is, anything else says what was tried. fail(nil) is nil.
func fail(err error, doing string) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		if known, ok := constraints[pg.ConstraintName]; ok {
			c := *known
			c.Err = err
			return &c
		}
		if pg.Code == badText || pg.Code == badEscape {
			return fault.Wrap(err, fault.KindInvalid, CodeTextInvalid)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// SQLSTATEs of text that Postgres cannot hold: bytes that are no UTF-8 or
// U+0000, in text and in JSON. Only a request can have brought it in.
const (
	badText   = "22021" // character_not_in_repertoire
	badEscape = "22P05" // untranslatable_character
)

// NotFound is the fault of a record that does not exist.
func NotFound(kind string, id any) *fault.Error {
	return fault.New(fault.KindNotFound, fault.Code(kind+"_not_found"), "id", id)
}

// one runs a query that finds one row or fails with kind_not_found.
func one[T any](ctx context.Context, db querier, kind string, id any, sql string, args pgx.NamedArgs) (T, error) {
	rows, _ := db.Query(ctx, sql, args) // the error comes back from CollectExactlyOneRow
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return v, NotFound(kind, id)
	}
	return v, fail(err, "find "+kind)
}

// many runs a query that finds any number of rows; none is an empty list.
func many[T any](ctx context.Context, db querier, kind, sql string, args pgx.NamedArgs) ([]T, error) {
	rows, _ := db.Query(ctx, sql, args) // the error comes back from CollectRows
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	return list, fail(err, "list "+kind)
}

// changed runs an UPDATE … WHERE id = @id AND revision = @revision RETURNING …;
// no row means that the record is gone or has another revision.
func changed[T any](ctx context.Context, db querier, table, kind string, id any, sql string, args pgx.NamedArgs) (T, error) {
	v, err := one[T](ctx, db, kind, id, sql, args)
	if !errors.Is(err, NotFound(kind, id)) {
		return v, err
	}
	var exists bool
	find := `SELECT EXISTS (SELECT FROM ` + pgx.Identifier{table}.Sanitize() + ` WHERE id = @id)`
	if err := db.QueryRow(ctx, find, args).Scan(&exists); err != nil {
		return v, fail(err, "find "+kind)
	}
	if exists {
		return v, fault.New(fault.KindStale, CodeStale, "kind", kind, "id", id)
	}
	return v, err
}

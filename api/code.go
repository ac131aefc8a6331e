package api

import (
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// The codes of this package's faults, with their parameters, beside those of
// store, store/blob, api/imagefile and api/unattend that pass through it.
const (
	CodeSignInNeeded     fault.Code = "sign_in_needed"     //
	CodeForbidden        fault.Code = "forbidden"          // action, role: the least that may
	CodeSignInFailed     fault.Code = "sign_in_failed"     // never says whether login or password
	CodeSignedOut        fault.Code = "signed_out"         //
	CodeTooManyAttempts  fault.Code = "too_many_attempts"  // retry_seconds
	CodeLoginInvalid     fault.Code = "login_invalid"      //
	CodePasswordTooShort fault.Code = "password_too_short" // min
	CodePasswordTooLong  fault.Code = "password_too_long"  // max
	CodeRoleUnknown      fault.Code = "role_unknown"       // role
	CodeCursorInvalid    fault.Code = "cursor_invalid"     //
	CodeVersionInvalid   fault.Code = "version_invalid"    // version
	CodeVersionInChannel fault.Code = "version_in_channel" // version, channels
	CodeUploadTooLarge   fault.Code = "upload_too_large"   // limit_bytes
	CodeUploadEmpty      fault.Code = "upload_empty"       //
	CodeUploadInspecting fault.Code = "upload_inspecting"  // done_bytes, total_bytes
	CodeUploadPublished  fault.Code = "upload_published"   // version: its ID
	CodeGarbageGrace     fault.Code = "garbage_grace"      // hours: at least
	CodeInspectionFailed fault.Code = "inspection_failed"  //
	CodeBlockMapInvalid  fault.Code = "block_map_invalid"  // detail
	CodeBlockMapMismatch fault.Code = "block_map_mismatch" // offset: -1 when the sizes differ
	CodeBlockMapTooLong  fault.Code = "block_map_too_long" // ranges, most
	CodeUploadDigest     fault.Code = "upload_digest"      // want, have
	CodeCaptureOver      fault.Code = "capture_over"       // state: of the job
	CodePairingOpen      fault.Code = "pairing_open"       // retry_seconds: nobody has answered yet
	CodePairingDenied    fault.Code = "pairing_denied"     //
	CodeLayoutUnknown    fault.Code = "layout_unknown"     // layout
	CodeSignatureUnknown fault.Code = "boot_signature_unknown"
	CodeEditionInvalid   fault.Code = "edition_invalid" // edition

	// What is refused of a list's filter, at the field's name in the address.
	CodeFilterChoice fault.Code = "filter_choice_unknown" // value, values: that there are
	CodeFilterDay    fault.Code = "filter_day_invalid"    // value
	CodeFilterTime   fault.Code = "filter_time_invalid"   // value
	CodeFilterText   fault.Code = "filter_text_invalid"   // max

	// What is refused of things that are out of use, or that must stay in it.
	CodeTemplateRetired fault.Code = "template_retired"      // name
	CodeSequenceRetired fault.Code = "task_sequence_retired" // name
	CodeSequenceLast    fault.Code = "task_sequence_last"    // name: jobs need one
	CodeListUnknown     fault.Code = "list_unknown"          // list: of a view, lists
	CodeSettingUnknown  fault.Code = "setting_unknown"       // name
	CodeSettingInvalid  fault.Code = "setting_invalid"       // name, why: what it takes
	CodeSettingFixed    fault.Code = "setting_fixed"         // name, origin: who runs the server has set it

	// What is refused about events and webhooks.
	CodeEventType       fault.Code = "event_type_unknown"   // type
	CodeWebhooksTooMany fault.Code = "webhooks_too_many"    // most
	CodeWebhookPaused   fault.Code = "webhook_paused"       // of a delivery, or of one that is asked for
	CodeDeliveryLost    fault.Code = "delivery_interrupted" // of a delivery
	CodeDeliveryRefused fault.Code = "delivery_refused"     // of a delivery: status
	CodeDeliveryBusy    fault.Code = "delivery_under_way"   //

	// What the first run refuses.
	CodeFirstRunFinished fault.Code = "first_run_finished"     // who
	CodeFirstRunOpen     fault.Code = "first_run_open"         // step
	CodeFirstRunStep     fault.Code = "first_run_step_unknown" // step, steps
	CodeFirstStick       fault.Code = "first_stick_virtual"    // host
	CodeTLSFixed         fault.Code = "tls_fixed"              //
	CodeTLSNames         fault.Code = "tls_names_invalid"      // max
	CodeTLSPair          fault.Code = "tls_pair_invalid"       // detail

	// What QueueJob refuses.
	CodeKindUnknown      fault.Code = "kind_unknown"                // kind, kinds
	CodePartitionInvalid fault.Code = "partition_invalid"           // partition, max
	CodeWipeInvalid      fault.Code = "wipe_invalid"                // method, passes
	CodeMinimumInvalid   fault.Code = "minimum_invalid"             // minimum
	CodeOverrideUnknown  fault.Code = "override_unknown"            // code, codes: that can
	CodeHostOutdated     fault.Code = "host_outdated"               // host
	CodeNoDevices        fault.Code = "devices_missing"             //
	CodeTooManyDevices   fault.Code = "devices_too_many"            // most
	CodeDeviceTwice      fault.Code = "device_twice"                // port
	CodeDeviceGone       fault.Code = "device_gone"                 // port
	CodeDeviceChanged    fault.Code = "device_changed"              // port, path, what, want, have
	CodeDeviceTooSmall   fault.Code = "device_too_small"            // port, have_bytes, need_bytes, missing_bytes
	CodeImageTooBig      fault.Code = "image_too_big"               // port, need_bytes, have_bytes
	CodeSectorSize       fault.Code = "device_sector_size"          // port, layout, sector_size
	CodeEditionMissing   fault.Code = "edition_missing"             // edition, editions
	CodeArchRefused      fault.Code = "architecture_refused"        // architecture
	CodeFormatRefused    fault.Code = "format_refused"              // format
	CodeNoDiskImage      fault.Code = "no_disk_image"               // format
	CodeImageSector      fault.Code = "image_sector_size"           // port, sector_size, image_sector_size
	CodeRemovableRefused fault.Code = "image_too_old_for_removable" // port, build
	CodeVariableInvalid  fault.Code = "variable_invalid"            // name
	CodeVariableUnasked  fault.Code = "template_variable_unasked"   // name, known: what the template asks for
	CodeTokenRate        fault.Code = "token_rate"                  // retry_seconds, most
	CodeReferenceSystem  fault.Code = "reference_system_invalid"    //
	CodeTextTooLong      fault.Code = "text_too_long"               // field, max
	CodeChannelMoved     fault.Code = "channel_moved"               // channel, version: that it points to now
	CodeComputerName     fault.Code = "computer_name_invalid"       // name, max
	CodeComputerPattern  fault.Code = "computer_name_pattern"       // pattern, text: what is not understood, known: what is
	CodeComputerTwice    fault.Code = "computer_name_twice"         // name, first, second: the sticks' places in the job
	CodeSchedulePast     fault.Code = "schedule_past"               //
	CodeScheduleFar      fault.Code = "schedule_too_far"            // days

	// What is refused of connectors, of what they are sent, and of requests.
	CodeSystemUnknown    fault.Code = "connector_system_unknown" // system, systems
	CodeMethodRefused    fault.Code = "connector_method_refused" // system, method, methods
	CodeHeaderInvalid    fault.Code = "connector_header_invalid" // header
	CodeSecretInvalid    fault.Code = "secret_invalid"           // min, max
	CodeAuthInvalid      fault.Code = "write_back_auth_invalid"  // field
	CodeAuthMissing      fault.Code = "write_back_auth_missing"  //
	CodeEventUnknown     fault.Code = "write_back_event_unknown" // events: that there are
	CodeHookRefused      fault.Code = "hook_refused"             // never says why, nor whether there is such a connector
	CodeHookTicket       fault.Code = "hook_ticket_missing"      //
	CodeReasonMissing    fault.Code = "reason_missing"           //
	CodeRequestOver      fault.Code = "stick_request_over"       // state
	CodeRequestUnmatched fault.Code = "stick_request_unmatched"  // ticket: no stick has it as its reference

	// What is refused of handing out a stick.
	CodeHolderMissing fault.Code = "holder_missing" //

	CodeScanEmpty   fault.Code = "scan_empty"       //
	CodeScanForeign fault.Code = "scan_foreign"     // code: that is no code of a stick's label
	CodeScanUnknown fault.Code = "scan_unknown"     // code
	CodeScanTwice   fault.Code = "scan_twice"       // code: more than one stick is called so
	CodeScanAct     fault.Code = "scan_act_unknown" // act

	CodeDataAnswerUnknown fault.Code = "data_answer_unknown" // data
	CodeSignerMissing     fault.Code = "signer_missing"      //
	CodeDataReason        fault.Code = "data_reason_missing" // data: the answer that needs one

	// What is refused about a host's sockets.
	CodeHostOffline         fault.Code = "host_offline"         // host
	CodePortInvalid         fault.Code = "port_invalid"         // number, most, letters
	CodeIdentifyUnsupported fault.Code = "identify_unsupported" // host

	// What the hosts' door refuses.
	CodeHostUnknown    fault.Code = "host_unknown"     //
	CodeHostKeyInvalid fault.Code = "host_key_invalid" //
	CodeTicketInvalid  fault.Code = "ticket_invalid"   //
	CodeHostRevoked               = store.CodeHostRevoked
	CodeSessionStale              = store.CodeSessionStale

	// What is refused about people and their sites.
	CodeEverySite       fault.Code = "every_site_needed"    // action
	CodeSitesTooWide    fault.Code = "sites_too_wide"       //
	CodeScopeMissing    fault.Code = "scope_missing"        // scope, action: the token was not made for it
	CodeScopeUnknown    fault.Code = "scope_unknown"        // scope, scopes
	CodeActorUnknown    fault.Code = "actor_unknown"        // actor
	CodeCodeWrong       fault.Code = "code_wrong"           //
	CodePasswordWrong   fault.Code = "password_wrong"       //
	CodeSecondFactorOn  fault.Code = "second_factor_on"     //
	CodeSecondFactorOff fault.Code = "second_factor_off"    //
	CodeOtherOrigin     fault.Code = "user_of_other_origin" // kind: of the origin
	CodeLastAdmin       fault.Code = "last_admin"           //
	CodeOneself         fault.Code = "not_oneself"          //
	CodePeopleOnly      fault.Code = "people_only"          //
	CodeNoService       fault.Code = "provider_missing"     //
	CodeNoRole          fault.Code = "no_role"              //
	CodeLoginOfOther    fault.Code = "login_of_other"       // login
	CodeLifetime        fault.Code = "lifetime_invalid"     //
	CodeLocale          fault.Code = "locale_unknown"       // locale
	CodeSetupNeeded     fault.Code = "setup_needed"         //
)

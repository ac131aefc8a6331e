package api

import (
	"maps"
	"slices"

	"github.com/stickpress/stickpress/api/fault"
)

// UseCase names one thing that the console can do, as audit rows spell it.
type UseCase string

// The use cases.
const (
	UseSetup             UseCase = "setup"
	UseSignIn            UseCase = "sign_in"
	UseCreateSignInLink  UseCase = "create_sign_in_link"
	UseRedeemSignInLink  UseCase = "redeem_sign_in_link"
	UseListUsers         UseCase = "list_users"
	UseGetUser           UseCase = "get_user"
	UseCreateUser        UseCase = "create_user"
	UseCreateToken       UseCase = "create_token"
	UseListTokens        UseCase = "list_tokens"
	UseRevokeToken       UseCase = "revoke_token"
	UseBeginPairing      UseCase = "begin_pairing"
	UseGetPairing        UseCase = "get_pairing"
	UseAnswerPairing     UseCase = "answer_pairing"
	UseEndPairing        UseCase = "end_pairing"
	UseListImages        UseCase = "list_images"
	UseGetImage          UseCase = "get_image"
	UseCreateImage       UseCase = "create_image"
	UsePublishVersion    UseCase = "publish_version"
	UsePublishCapture    UseCase = "publish_capture"
	UseWithdrawVersion   UseCase = "withdraw_version"
	UseSetBlockMap       UseCase = "set_block_map"
	UseSetChannel        UseCase = "set_channel"
	UseUpload            UseCase = "upload"
	UseListTemplates     UseCase = "list_templates"
	UseGetTemplate       UseCase = "get_template"
	UseTemplateSource    UseCase = "template_source"
	UseCheckTemplate     UseCase = "check_template"
	UseSaveTemplate      UseCase = "save_template"
	UseListTaskSequences UseCase = "list_task_sequences"
	UseGetTaskSequence   UseCase = "get_task_sequence"
	UseSaveTaskSequence  UseCase = "save_task_sequence"
	UseListHosts         UseCase = "list_hosts"
	UseGetHost           UseCase = "get_host"
	UseCreateEnrolment   UseCase = "create_enrolment"
	UseEnrollHost        UseCase = "enroll_host"
	UseRevokeHost        UseCase = "revoke_host"
	UseDeclareHostLost   UseCase = "declare_host_lost"
	UseCalibrateHost     UseCase = "calibrate_host"
	UseIdentifyDevice    UseCase = "identify_device"
	UseListSticks        UseCase = "list_sticks"
	UseGetStick          UseCase = "get_stick"
	UseReturnStick       UseCase = "return_stick"
	UseIssueStick        UseCase = "issue_stick"
	UseDeclareStickLost  UseCase = "declare_stick_lost"
	UseStickFound        UseCase = "stick_found"
	UseRetireStick       UseCase = "retire_stick"
	UseTickStickTask     UseCase = "tick_stick_task"
	UseUndoStickMove     UseCase = "undo_stick_move"
	UseSettleStickData   UseCase = "settle_stick_data"
	UseGetCertificate    UseCase = "get_certificate"
	UseQueueJob          UseCase = "queue_job"
	UseCapture           UseCase = "capture" // a job that publishes a version
	UseSaveExclusions    UseCase = "save_exclusions"
	UseOverride          UseCase = "override"
	UseGetJob            UseCase = "get_job"
	UseListJobs          UseCase = "list_jobs"
	UseGetBuild          UseCase = "get_build"
	UseListBuilds        UseCase = "list_builds"
	UseCancelJob         UseCase = "cancel_job"
	UseScheduleJob       UseCase = "schedule_job"
	UseEstimateJob       UseCase = "estimate_job"
	UseCancelBuild       UseCase = "cancel_build"
	UseRetryBuilds       UseCase = "retry_builds"
	UseGetOverview       UseCase = "get_overview"
	UseSearch            UseCase = "search"
	UseListAudit         UseCase = "list_audit"
	UseListHistory       UseCase = "list_history"
	UseListSites         UseCase = "list_sites"
	UseSaveSite          UseCase = "save_site"
	UseRetireSite        UseCase = "retire_site"
	UseUpdateHost        UseCase = "update_host"
	UseRetireTemplate    UseCase = "retire_template"
	UseRetireSequence    UseCase = "retire_task_sequence"
	UseListViews         UseCase = "list_views"
	UseSaveView          UseCase = "save_view"
	UseShareView         UseCase = "share_view"
	UseListSettings      UseCase = "list_settings"
	UseSaveSetting       UseCase = "save_setting"
	UseGetFirstRun       UseCase = "get_first_run"
	UseSaveFirstRun      UseCase = "save_first_run"

	UseListConnectors      UseCase = "list_connectors"
	UseSaveConnector       UseCase = "save_connector"
	UseRetireConnector     UseCase = "retire_connector"
	UseResendWriteBack     UseCase = "resend_write_back"
	UseReceiveHook         UseCase = "receive_hook"
	UseListStickRequests   UseCase = "list_stick_requests"
	UseDeclineStickRequest UseCase = "decline_stick_request"
	UseReopenStickRequest  UseCase = "reopen_stick_request"

	UseSignInCode         UseCase = "sign_in_code"
	UseSignInService      UseCase = "sign_in_service"
	UseChoosePassword     UseCase = "choose_password"
	UseUpdateUser         UseCase = "update_user"
	UseDisableUser        UseCase = "disable_user" // and back
	UseUnlockUser         UseCase = "unlock_user"
	UseResetTOTP          UseCase = "reset_totp"
	UseCreatePasswordLink UseCase = "create_password_link"
	UseChangePassword     UseCase = "change_password"
	UseEnableTOTP         UseCase = "enable_totp"
	UseDisableTOTP        UseCase = "disable_totp"
	UseRenewRecoveryCodes UseCase = "renew_recovery_codes"
	UseListSessions       UseCase = "list_sessions"
	UseEndSession         UseCase = "end_session"
	UseExportAudit        UseCase = "export_audit"
	UseBackup             UseCase = "backup"
	UseCollectGarbage     UseCase = "collect_garbage"

	UseListEvents       UseCase = "list_events"
	UseListWebhooks     UseCase = "list_webhooks"
	UseGetWebhook       UseCase = "get_webhook"
	UseSaveWebhook      UseCase = "save_webhook"
	UsePauseWebhook     UseCase = "pause_webhook" // and back
	UseDeleteWebhook    UseCase = "delete_webhook"
	UseRotateSecret     UseCase = "rotate_webhook_secret"
	UsePingWebhook      UseCase = "ping_webhook"
	UseRedeliverWebhook UseCase = "redeliver_webhook"
)

// permissions is the least role of every use case: the one place where this
// is decided. Which of them ask for the actor's sites is in scopes, and what
// they ask of a token in tokenScopes.
var permissions = map[UseCase]Role{
	UseSetup:            RoleNone, // the setup token decides
	UseSignIn:           RoleNone, // the password decides
	UseRedeemSignInLink: RoleNone, // the link decides
	UseEnrollHost:       RoleNone, // the enrolment token decides
	UsePublishCapture:   RoleNone, // the host's ticket decides; the job needed UseCapture
	UseSignInCode:       RoleNone, // the code decides, after the password
	UseChoosePassword:   RoleNone, // the link decides
	UseSignInService:    RoleNone, // the provider decides
	UseBeginPairing:     RoleNone, // it gives nothing before a person answers
	UseEndPairing:       RoleNone, // its secret decides, and the answer
	UseReceiveHook:      RoleNone, // the connector's secret decides

	UseChangePassword:     RoleViewer, // one's own
	UseEnableTOTP:         RoleViewer, // one's own
	UseDisableTOTP:        RoleViewer, // one's own
	UseRenewRecoveryCodes: RoleViewer, // one's own
	UseListSessions:       RoleViewer, // one's own; others: see account.go
	UseEndSession:         RoleViewer, // one's own; others: see account.go
	UseUpdateUser:         RoleAdmin,
	UseDisableUser:        RoleAdmin,
	UseUnlockUser:         RoleAdmin,
	UseResetTOTP:          RoleAdmin,
	UseCreatePasswordLink: RoleAdmin,
	UseExportAudit:        RoleAdmin,

	UseListEvents:       RoleViewer,
	UseListWebhooks:     RoleAdmin,
	UseGetWebhook:       RoleAdmin,
	UseSaveWebhook:      RoleAdmin,
	UsePauseWebhook:     RoleAdmin,
	UseDeleteWebhook:    RoleAdmin,
	UseRotateSecret:     RoleAdmin,
	UsePingWebhook:      RoleAdmin,
	UseRedeliverWebhook: RoleAdmin,

	UseGetUser:           RoleViewer, // oneself; others: see user.go
	UseCreateToken:       RoleViewer, // at most one's own role
	UseListTokens:        RoleViewer, // one's own
	UseRevokeToken:       RoleViewer, // one's own
	UseGetPairing:        RoleViewer, // people only
	UseAnswerPairing:     RoleViewer, // people only; a token of one's own
	UseListImages:        RoleViewer,
	UseGetImage:          RoleViewer,
	UseListTemplates:     RoleViewer,
	UseGetTemplate:       RoleViewer,
	UseListTaskSequences: RoleViewer,
	UseGetTaskSequence:   RoleViewer,
	UseListHosts:         RoleViewer,
	UseGetHost:           RoleViewer,
	UseListSticks:        RoleViewer,
	UseGetStick:          RoleViewer,
	UseGetCertificate:    RoleViewer,
	UseGetJob:            RoleViewer,
	UseListJobs:          RoleViewer,
	UseGetBuild:          RoleViewer,
	UseListBuilds:        RoleViewer,
	UseGetOverview:       RoleViewer,
	UseEstimateJob:       RoleViewer,
	UseSearch:            RoleViewer, // what the actor's sites have
	UseListHistory:       RoleViewer, // of what one may see; see history.go
	UseListSites:         RoleViewer,
	UseListViews:         RoleViewer, // one's own, and everybody's
	UseSaveView:          RoleViewer, // one's own

	UseListStickRequests:   RoleHelpdesk,
	UseDeclineStickRequest: RoleHelpdesk,
	UseReopenStickRequest:  RoleHelpdesk,

	UseQueueJob:         RoleHelpdesk,
	UseCancelJob:        RoleHelpdesk,
	UseScheduleJob:      RoleHelpdesk,
	UseCancelBuild:      RoleHelpdesk,
	UseRetryBuilds:      RoleHelpdesk,
	UseReturnStick:      RoleHelpdesk,
	UseIssueStick:       RoleHelpdesk,
	UseDeclareStickLost: RoleHelpdesk,
	UseStickFound:       RoleHelpdesk,
	UseTickStickTask:    RoleHelpdesk,
	UseUndoStickMove:    RoleHelpdesk,
	UseSettleStickData:  RoleHelpdesk,
	UseIdentifyDevice:   RoleHelpdesk,

	UseListConnectors:  RoleAdmin, // their deliveries may tell of all sites
	UseSaveConnector:   RoleAdmin,
	UseRetireConnector: RoleAdmin,
	UseResendWriteBack: RoleAdmin,

	UseCreateSignInLink: RoleAdmin,
	UseListUsers:        RoleAdmin,
	UseCreateUser:       RoleAdmin,
	UseCreateImage:      RoleAdmin,
	UsePublishVersion:   RoleAdmin,
	UseSetBlockMap:      RoleAdmin,
	UseWithdrawVersion:  RoleAdmin,
	UseSetChannel:       RoleAdmin,
	UseUpload:           RoleAdmin,
	UseTemplateSource:   RoleAdmin, // a source may hold passwords
	UseCheckTemplate:    RoleAdmin,
	UseSaveTemplate:     RoleAdmin,
	UseSaveTaskSequence: RoleAdmin,
	UseCreateEnrolment:  RoleAdmin,
	UseRevokeHost:       RoleAdmin,
	UseCapture:          RoleAdmin,
	UseSaveExclusions:   RoleAdmin,
	UseOverride:         RoleAdmin, // a refusal of QueueJob
	UseDeclareHostLost:  RoleAdmin,
	UseRetireStick:      RoleAdmin,
	UseCalibrateHost:    RoleAdmin,
	UseListAudit:        RoleAdmin,
	UseSaveSite:         RoleAdmin,
	UseRetireSite:       RoleAdmin,
	UseUpdateHost:       RoleAdmin,
	UseRetireTemplate:   RoleAdmin,
	UseRetireSequence:   RoleAdmin,
	UseShareView:        RoleAdmin, // everybody's views
	UseListSettings:     RoleAdmin,
	UseSaveSetting:      RoleAdmin,
	UseGetFirstRun:      RoleAdmin,
	UseSaveFirstRun:     RoleAdmin,
	UseBackup:           RoleAdmin,
	UseCollectGarbage:   RoleAdmin,
}

// UseCases lists all of them by name.
func UseCases() []UseCase { return slices.Sorted(maps.Keys(permissions)) }

// Can reports whether an actor's role, sites and scopes allow a use case. Pages use it
// to hide what would be refused; the use case itself decides.
func (a Actor) Can(u UseCase) bool { return allow(a, u) == nil }

// May is Can that says why not.
func (a Actor) May(u UseCase) error { return allow(a, u) }

// allow refuses an actor whose role does not reach a use case, whose sites are
// some where it takes all, or whose token was not made for it.
func allow(a Actor, u UseCase) error {
	least, ok := permissions[u]
	switch {
	case ok && least == RoleNone:
		return nil
	case a.Role == RoleNone:
		return fault.New(fault.KindUnauthenticated, CodeSignInNeeded)
	case !ok || !a.Role.Includes(least):
		return fault.New(fault.KindForbidden, CodeForbidden, "action", u, "role", least)
	case a.Limited() && scopes[u] == ScopeEvery:
		return fault.New(fault.KindForbidden, CodeEverySite, "action", u)
	}
	return a.inScope(u)
}

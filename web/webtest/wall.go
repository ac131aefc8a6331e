package webtest

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
)

// Public are the routes of people who have not signed in.
var Public = []string{
	"GET /static/*", "GET /sign-in", "POST /sign-in", "GET /sign-in/code", "POST /sign-in/code", "GET /sign-in/password", "POST /sign-in/password",
	"GET /sign-in/service", "GET /sign-in/service/callback", "POST /sign-out", "GET /sign-in/link", "POST /sign-in/link", "GET /setup", "POST /setup",
	"POST /preferences", "GET /api/docs",
}

// Walls says of every route of signed-in people which use case decides about
// it: who may is in api's table of permissions. A route that is not here has
// no decision, and fails the tests.
var Walls = map[string]api.UseCase{
	"GET /": api.UseGetOverview, "GET /live": api.UseGetOverview, "GET /search": api.UseSearch, "GET /shortcuts": api.UseSearch, "GET /ui": api.UseSaveSetting,

	"GET /jobs": api.UseListJobs, "POST /jobs": api.UseQueueJob, "GET /jobs/new": api.UseQueueJob, "POST /jobs/confirm": api.UseQueueJob,
	"GET /jobs/{id}": api.UseGetJob, "GET /jobs/{id}/live": api.UseGetJob, "GET /jobs/{id}/log": api.UseGetJob, "POST /jobs/{id}/cancel": api.UseCancelJob,
	"POST /jobs/new": api.UseQueueJob, "GET /jobs/new/names": api.UseQueueJob, "POST /jobs/where": api.UseQueueJob, "GET /jobs/where/live": api.UseQueueJob,
	"GET /jobs/{id}/labels": api.UseGetJob, "GET /jobs/{id}/schedule": api.UseScheduleJob, "POST /jobs/{id}/schedule": api.UseScheduleJob,
	"POST /jobs/{id}/builds/{build}/cancel": api.UseCancelBuild, "POST /jobs/{id}/retry": api.UseRetryBuilds,

	"GET /exclusions": api.UseSaveExclusions, "POST /exclusions": api.UseSaveExclusions,
	"GET /images": api.UseListImages, "POST /images": api.UsePublishVersion, "GET /images/{name}": api.UseGetImage, "POST /images/{name}/channel": api.UseSetChannel,
	"GET /versions": api.UseGetImage, "GET /versions/{id}": api.UseGetImage, "POST /versions/{id}/withdraw": api.UseWithdrawVersion,
	"POST /versions/{id}/block-map": api.UseSetBlockMap, "GET /inspections/{id}": api.UseUpload,

	"GET /templates": api.UseListTemplates, "POST /templates": api.UseSaveTemplate, "POST /templates/check": api.UseCheckTemplate, "GET /templates/new": api.UseSaveTemplate,
	"GET /templates/{id}": api.UseGetTemplate, "POST /templates/{id}": api.UseSaveTemplate, "GET /templates/{id}/compare": api.UseTemplateSource,
	"POST /templates/{id}/restore": api.UseSaveTemplate, "POST /templates/{id}/retire": api.UseRetireTemplate,
	"GET /task-sequences": api.UseListTaskSequences, "POST /task-sequences": api.UseSaveTaskSequence, "GET /task-sequences/new": api.UseSaveTaskSequence,
	"GET /task-sequences/{id}": api.UseGetTaskSequence, "POST /task-sequences/{id}": api.UseSaveTaskSequence, "GET /task-sequences/{id}/compare": api.UseGetTaskSequence,
	"POST /task-sequences/{id}/restore": api.UseSaveTaskSequence, "POST /task-sequences/{id}/retire": api.UseRetireSequence,

	"GET /hosts": api.UseListHosts, "POST /hosts/enrol": api.UseCreateEnrolment, "GET /hosts/{id}": api.UseGetHost, "POST /hosts/{id}": api.UseUpdateHost,
	"POST /hosts/{id}/revoke": api.UseRevokeHost, "POST /hosts/{id}/lost": api.UseDeclareHostLost, "POST /hosts/{id}/identify": api.UseIdentifyDevice,
	"GET /hosts/{id}/ports": api.UseGetHost, "POST /hosts/{id}/calibration": api.UseCalibrateHost, "POST /hosts/{id}/calibration/{step}": api.UseCalibrateHost,
	"POST /sticks/{id}/issue": api.UseIssueStick, "POST /sticks/{id}/lost": api.UseDeclareStickLost, "POST /sticks/{id}/found": api.UseStickFound,
	"POST /sticks/{id}/retire": api.UseRetireStick, "POST /sticks/{id}/tasks/{task}": api.UseTickStickTask,
	"GET /sticks": api.UseListSticks, "GET /sticks/{id}": api.UseGetStick, "POST /sticks/{id}/return": api.UseReturnStick, "GET /sticks/{id}/record": api.UseGetStick,
	"GET /sticks/{id}/label": api.UseGetStick, "POST /sticks/{id}/data": api.UseSettleStickData,
	"GET /sticks/export": api.UseListSticks, "GET /sticks/scan": api.UseIssueStick, "POST /sticks/scan": api.UseIssueStick, "POST /sticks/scan/undo": api.UseUndoStickMove,
	"POST /sticks/{id}/undo":  api.UseUndoStickMove,
	"POST /sticks/scan/clear": api.UseIssueStick,
	"GET /certificates/{id}":  api.UseGetCertificate, "GET /certificates/{id}/file": api.UseGetCertificate,

	"GET /first-run": api.UseGetFirstRun, "GET /first-run/{step}": api.UseGetFirstRun, "GET /first-run/host/live": api.UseGetFirstRun,
	"POST /first-run/{step}/mark": api.UseSaveFirstRun, "POST /first-run/address": api.UseSaveSetting, "POST /first-run/tls": api.UseSaveFirstRun,
	"POST /first-run/host": api.UseCreateEnrolment, "POST /first-run/template": api.UseSaveFirstRun, "POST /first-run/press": api.UseSaveFirstRun,
	"POST /first-run/finish": api.UseSaveFirstRun,

	"GET /requests": api.UseListStickRequests, "GET /requests/{id}": api.UseListStickRequests,
	"POST /requests/{id}/decline": api.UseDeclineStickRequest, "POST /requests/{id}/reopen": api.UseReopenStickRequest,
	"GET /connectors": api.UseListConnectors, "POST /connectors": api.UseSaveConnector, "GET /connectors/new": api.UseSaveConnector,
	"GET /connectors/{id}": api.UseListConnectors, "POST /connectors/{id}": api.UseSaveConnector, "POST /connectors/{id}/secret": api.UseSaveConnector,
	"POST /connectors/{id}/retire": api.UseRetireConnector, "GET /connectors/{id}/mapping": api.UseSaveConnector, "POST /connectors/{id}/mapping": api.UseSaveConnector,
	"GET /connectors/{id}/write-back": api.UseSaveConnector, "POST /connectors/{id}/write-back": api.UseSaveConnector,
	"POST /connectors/{id}/write-backs/{write_back}/resend": api.UseResendWriteBack,

	"GET /sites": api.UseListSites, "POST /sites": api.UseSaveSite, "GET /sites/{id}": api.UseListSites, "POST /sites/{id}": api.UseSaveSite,
	"POST /sites/{id}/move": api.UseUpdateHost, "POST /sites/{id}/retire": api.UseRetireSite,
	"GET /settings": api.UseListSettings, "GET /settings/{name}": api.UseListSettings, "POST /settings/{name}": api.UseSaveSetting,
	"GET /tokens": api.UseListTokens, "GET /tokens/{id}": api.UseListTokens, "POST /tokens/{id}/revoke": api.UseRevokeToken,
	"GET /webhooks": api.UseListWebhooks, "POST /webhooks": api.UseSaveWebhook, "GET /webhooks/new": api.UseSaveWebhook, "GET /webhooks/{id}": api.UseGetWebhook,
	"POST /webhooks/{id}": api.UseSaveWebhook, "POST /webhooks/{id}/pause": api.UsePauseWebhook, "POST /webhooks/{id}/secret": api.UseRotateSecret,
	"POST /webhooks/{id}/ping": api.UsePingWebhook, "POST /webhooks/{id}/delete": api.UseDeleteWebhook,
	"GET /webhooks/{id}/deliveries/{delivery}": api.UseGetWebhook, "POST /webhooks/{id}/deliveries/{delivery}/attempts": api.UseRedeliverWebhook,
	"GET /views": api.UseListViews, "POST /views": api.UseSaveView, "POST /views/{id}": api.UseSaveView, "GET /views/{id}/delete": api.UseSaveView, "POST /views/{id}/delete": api.UseSaveView,

	"GET /users": api.UseListUsers, "POST /users": api.UseCreateUser, "GET /users/new": api.UseCreateUser, "GET /users/{id}": api.UseListUsers,
	"POST /users/{id}": api.UseUpdateUser, "POST /users/{id}/disable": api.UseDisableUser, "POST /users/{id}/enable": api.UseDisableUser,
	"POST /users/{id}/unlock": api.UseUnlockUser, "POST /users/{id}/reset-second-factor": api.UseResetTOTP, "POST /users/{id}/password-link": api.UseCreatePasswordLink,
	"POST /users/{id}/sessions/end": api.UseUpdateUser, "POST /users/{id}/sessions/{session}/end": api.UseUpdateUser,
	"GET /audit": api.UseListAudit, "GET /audit/export": api.UseExportAudit,

	"GET /account": api.UseGetUser, "POST /account/password": api.UseChangePassword, "GET /account/second-factor": api.UseEnableTOTP,
	"POST /account/second-factor": api.UseEnableTOTP, "POST /account/second-factor/begin": api.UseEnableTOTP, "POST /account/second-factor/off": api.UseDisableTOTP,
	"POST /account/recovery-codes": api.UseRenewRecoveryCodes, "POST /account/sessions/end": api.UseEndSession, "POST /account/sessions/{id}/end": api.UseEndSession,
	"POST /account/tokens": api.UseCreateToken,
	"GET /pair":            api.UseGetPairing, "POST /pair": api.UseAnswerPairing,
}

// Wall is the use case that decides about a route; uploads have one for all
// methods.
func Wall(route string) (api.UseCase, bool) {
	if _, path, _ := strings.Cut(route, " "); path == "/uploads" || path == "/uploads/*" {
		return api.UseUpload, true
	}
	use, ok := Walls[route]
	return use, ok
}

// Routes are the routes of the pages: "GET /jobs/{id}".
func (s *Site) Routes() ([]string, error) {
	var all []string
	err := chi.Walk(s.router, func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		all = append(all, method+" "+path)
		return nil
	})
	return all, err
}

// RouteOf is the route that answers a GET of a path: "GET /jobs/{id}"; empty if
// none does.
func (s *Site) RouteOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	c := chi.NewRouteContext()
	if !s.router.Match(c, http.MethodGet, path) {
		return ""
	}
	return http.MethodGet + " " + c.RoutePattern()
}

// Fill puts things of the scene into a route's path.
func (x *Scene) Fill(path string) string {
	id := map[string]string{
		"/jobs/": x.Running.ID, "/versions/": x.Version.ID, "/templates/": x.Template.ID, "/task-sequences/": x.Sequence.ID, "/hosts/": x.Host.ID,
		"/sticks/": x.Done.Builds[0].StickID, "/certificates/": x.Wiped.Builds[0].CertificateID, "/sites/": x.Host.SiteID, "/users/": x.Admin.UserID,
		"/inspections/": "x", "/webhooks/": "webhook_01jd6y9k3te0mv8b0g2z5q4w7x", "/account/sessions/": "session_01jd6y9k3te0mv8b0g2z5q4w7x",
		"/tokens/":   "token_01jd6y9k3te0mv8b0g2z5q4w7x",
		"/requests/": x.Request.ID, "/connectors/": x.Connector.ID, "/views/": "view_01jd6y9k3te0mv8b0g2z5q4w7x",
	}
	for prefix, v := range id {
		if strings.HasPrefix(path, prefix) {
			path = strings.Replace(path, "{id}", v, 1)
		}
	}
	name := "win11-ent"
	if strings.HasPrefix(path, "/settings") {
		name = "banner"
	}
	step := "finish" // of a calibration
	if strings.HasPrefix(path, "/first-run") {
		step = "host"
	}
	return strings.NewReplacer("{name}", name, "{delivery}", "msg_01jd6y9k3te0mv8b0g2z5q4w7x", "{build}", x.Running.Builds[0].ID, "{step}", step, "{task}", "x", "{write_back}", "writeback_01jd6y9k3te0mv8b0g2z5q4w7x",
		"{session}", "session_01jd6y9k3te0mv8b0g2z5q4w7x", "/*", "/x").Replace(path)
}

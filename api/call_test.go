package api_test

import (
	"context"
	"io"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

// calls has one call of every use case with input that is otherwise refused or
// harmless: only whether the actor was turned away matters.
func calls(f *apitest.Fixture) map[api.UseCase]func(context.Context, api.Actor) error {
	type calls = map[api.UseCase]func(context.Context, api.Actor) error
	page := api.Page{}
	return calls{
		api.UseSetup: func(ctx context.Context, a api.Actor) error { _, err := f.Setup(ctx, a, api.SetupInput{}); return err },
		api.UseSignIn: func(ctx context.Context, a api.Actor) error {
			_, err := f.SignIn(ctx, a, api.SignInInput{})
			return err
		},
		api.UseCreateSignInLink: func(ctx context.Context, a api.Actor) error {
			_, err := f.CreateSignInLink(ctx, a, api.SignInLinkInput{})
			return err
		},
		api.UseRedeemSignInLink: func(ctx context.Context, a api.Actor) error { _, err := f.RedeemSignInLink(ctx, a, ""); return err },
		api.UseSignInCode: func(ctx context.Context, a api.Actor) error {
			_, err := f.SignInCode(ctx, a, unknownUser, api.MethodPassword, "1")
			return err
		},
		api.UseSignInService: func(ctx context.Context, a api.Actor) error { _, err := f.BeginService(ctx, a); return err },
		api.UseChoosePassword: func(ctx context.Context, a api.Actor) error {
			_, err := f.ChoosePassword(ctx, a, "", apitest.Password)
			return err
		},
		api.UseUpdateUser: func(ctx context.Context, a api.Actor) error {
			_, err := f.UpdateUser(ctx, a, api.UpdateUserInput{ID: unknownUser, Name: "x", Role: api.RoleViewer})
			return err
		},
		api.UseDisableUser: func(ctx context.Context, a api.Actor) error {
			_, err := f.SetUserDisabled(ctx, a, unknownUser, true)
			return err
		},
		api.UseUnlockUser: func(ctx context.Context, a api.Actor) error { _, err := f.UnlockUser(ctx, a, unknownUser); return err },
		api.UseResetTOTP:  func(ctx context.Context, a api.Actor) error { _, err := f.ResetTOTP(ctx, a, unknownUser); return err },
		api.UseCreatePasswordLink: func(ctx context.Context, a api.Actor) error {
			_, err := f.CreatePasswordLink(ctx, a, unknownUser)
			return err
		},
		api.UseChangePassword: func(ctx context.Context, a api.Actor) error { return f.ChangePassword(ctx, a, "", "short") },
		api.UseEnableTOTP:     func(ctx context.Context, a api.Actor) error { _, err := f.PendingTOTP(ctx, a); return err },
		api.UseDisableTOTP:    func(ctx context.Context, a api.Actor) error { return f.DisableTOTP(ctx, a, "") },
		api.UseRenewRecoveryCodes: func(ctx context.Context, a api.Actor) error {
			_, err := f.RenewRecoveryCodes(ctx, a, "")
			return err
		},
		api.UseListSessions: func(ctx context.Context, a api.Actor) error { _, err := f.ListSessions(ctx, a, a.UserID); return err },
		api.UseEndSession:   func(ctx context.Context, a api.Actor) error { return f.EndSessions(ctx, a, a.UserID) },
		api.UseExportAudit: func(ctx context.Context, a api.Actor) error {
			return f.ExportAudit(ctx, a, api.AuditFilter{}, func(api.AuditEntry) error { return nil })
		},
		api.UseListUsers: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListUsers(ctx, a, api.UserFilter{}, page)
			return err
		},
		api.UseGetUser: func(ctx context.Context, a api.Actor) error { _, err := f.GetUser(ctx, a, a.UserID); return err },
		api.UseCreateUser: func(ctx context.Context, a api.Actor) error {
			_, err := f.CreateUser(ctx, a, api.CreateUserInput{})
			return err
		},
		api.UseCreateToken: func(ctx context.Context, a api.Actor) error {
			_, err := f.CreateToken(ctx, a, api.CreateTokenInput{Name: "t", Role: api.RoleViewer})
			return err
		},
		api.UseListTokens: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListTokens(ctx, a, api.TokenFilter{}, page)
			return err
		},
		api.UseBeginPairing: func(ctx context.Context, a api.Actor) error { _, err := f.BeginPairing(ctx, a, ""); return err },
		api.UseGetPairing:   func(ctx context.Context, a api.Actor) error { _, err := f.GetPairing(ctx, a, "x"); return err },
		api.UseAnswerPairing: func(ctx context.Context, a api.Actor) error {
			_, err := f.AnswerPairing(ctx, a, api.AnswerPairingInput{Code: "x", Deny: true})
			return err
		},
		api.UseEndPairing:  func(ctx context.Context, a api.Actor) error { _, err := f.EndPairing(ctx, a, "x", "x"); return err },
		api.UseRevokeToken: func(ctx context.Context, a api.Actor) error { return f.RevokeToken(ctx, a, unknownToken) },
		api.UseListImages: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListImages(ctx, a, api.ImageFilter{}, page)
			return err
		},
		api.UseGetImage: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListVersions(ctx, a, api.VersionFilter{Image: "x"}, page)
			return err
		},
		api.UseCreateImage: func(ctx context.Context, a api.Actor) error {
			_, err := f.CreateImage(ctx, a, api.CreateImageInput{})
			return err
		},
		api.UsePublishVersion: func(ctx context.Context, a api.Actor) error {
			_, err := f.PublishVersion(ctx, a, api.PublishVersionInput{})
			return err
		},
		api.UseWithdrawVersion: func(ctx context.Context, a api.Actor) error {
			_, err := f.WithdrawVersion(ctx, a, api.WithdrawVersionInput{ID: unknownVersion})
			return err
		},
		api.UseSetBlockMap: func(ctx context.Context, a api.Actor) error {
			_, err := f.SetBlockMap(ctx, a, api.SetBlockMapInput{Version: unknownVersion})
			return err
		},
		api.UseSetChannel: func(ctx context.Context, a api.Actor) error {
			_, err := f.SetChannel(ctx, a, api.SetChannelInput{})
			return err
		},
		api.UseCapture: func(ctx context.Context, a api.Actor) error { _, err := f.GetExclusions(ctx, a); return err },
		api.UsePublishCapture: func(ctx context.Context, _ api.Actor) error {
			_, err := f.HostPublish(ctx, "no ticket", "", protocol.PublishRequest{})
			return err
		},
		api.UseSaveExclusions: func(ctx context.Context, a api.Actor) error {
			_, err := f.SaveExclusions(ctx, a, api.SaveExclusionsInput{List: "[no"})
			return err
		},
		api.UseUpload: func(ctx context.Context, a api.Actor) error { _, err := f.UploadFinished(ctx, a, "x"); return err },
		api.UseListTemplates: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListTemplates(ctx, a, api.ShelfFilter{}, page)
			return err
		},
		api.UseGetTemplate: func(ctx context.Context, a api.Actor) error {
			_, err := f.GetTemplate(ctx, a, api.DefaultTemplate)
			return err
		},
		api.UseTemplateSource: func(ctx context.Context, a api.Actor) error { _, err := f.TemplateSource(ctx, a, "x"); return err },
		api.UseCheckTemplate:  func(ctx context.Context, a api.Actor) error { _, err := f.CheckTemplate(ctx, a, ""); return err },
		api.UseSaveTemplate: func(ctx context.Context, a api.Actor) error {
			_, err := f.SaveTemplate(ctx, a, api.SaveTemplateInput{})
			return err
		},
		api.UseListTaskSequences: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListTaskSequences(ctx, a, api.ShelfFilter{}, page)
			return err
		},
		api.UseGetTaskSequence: func(ctx context.Context, a api.Actor) error { _, err := f.GetTaskSequence(ctx, a, ""); return err },
		api.UseSaveTaskSequence: func(ctx context.Context, a api.Actor) error {
			_, err := f.SaveTaskSequence(ctx, a, api.SaveTaskSequenceInput{})
			return err
		},
		api.UseListHosts: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListHosts(ctx, a, api.HostFilter{}, page)
			return err
		},
		api.UseGetHost: func(ctx context.Context, a api.Actor) error { _, err := f.GetHost(ctx, a, "x"); return err },
		api.UseCreateEnrolment: func(ctx context.Context, a api.Actor) error {
			_, err := f.CreateEnrolment(ctx, a, api.CreateEnrolmentInput{})
			return err
		},
		api.UseEnrollHost: func(ctx context.Context, a api.Actor) error {
			_, err := f.EnrollHost(ctx, a, protocol.EnrollRequest{})
			return err
		},
		api.UseRevokeHost: func(ctx context.Context, a api.Actor) error {
			_, err := f.RevokeHost(ctx, a, api.ChangeHostInput{ID: unknownHost})
			return err
		},
		api.UseDeclareHostLost: func(ctx context.Context, a api.Actor) error {
			_, err := f.DeclareHostLost(ctx, a, api.ChangeHostInput{ID: unknownHost})
			return err
		},
		api.UseCalibrateHost: func(ctx context.Context, a api.Actor) error {
			_, err := f.StartCalibration(ctx, a, "x", "", 1)
			return err
		},
		api.UseIdentifyDevice: func(ctx context.Context, a api.Actor) error {
			return f.IdentifyDevice(ctx, a, "x", protocol.Identity{}, 1)
		},
		api.UseListSticks: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListSticks(ctx, a, api.StickFilter{}, page)
			return err
		},
		api.UseGetStick: func(ctx context.Context, a api.Actor) error { _, err := f.GetStick(ctx, a, "x"); return err },
		api.UseReturnStick: func(ctx context.Context, a api.Actor) error {
			_, err := f.ReturnStick(ctx, a, api.MoveStickInput{ID: "x"})
			return err
		},
		api.UseIssueStick: func(ctx context.Context, a api.Actor) error {
			_, err := f.IssueStick(ctx, a, api.IssueStickInput{ID: "x"})
			return err
		},
		api.UseDeclareStickLost: func(ctx context.Context, a api.Actor) error {
			_, err := f.DeclareStickLost(ctx, a, api.MoveStickInput{ID: "x"})
			return err
		},
		api.UseStickFound: func(ctx context.Context, a api.Actor) error {
			_, err := f.StickFound(ctx, a, api.MoveStickInput{ID: "x"})
			return err
		},
		api.UseRetireStick: func(ctx context.Context, a api.Actor) error {
			_, err := f.RetireStick(ctx, a, api.MoveStickInput{ID: "x"})
			return err
		},
		api.UseTickStickTask: func(ctx context.Context, a api.Actor) error {
			_, err := f.TickStickTask(ctx, a, api.TickStickTaskInput{Stick: "x"})
			return err
		},
		api.UseUndoStickMove: func(ctx context.Context, a api.Actor) error { _, err := f.UndoStickMove(ctx, a, "x", 1); return err },
		api.UseSettleStickData: func(ctx context.Context, a api.Actor) error {
			_, err := f.SettleStickData(ctx, a, api.SettleStickDataInput{Stick: "x", Data: api.DataNone})
			return err
		},
		api.UseGetCertificate: func(ctx context.Context, a api.Actor) error {
			_, err := f.GetCertificate(ctx, a, "x")
			return err
		},
		api.UseQueueJob: func(ctx context.Context, a api.Actor) error {
			_, err := f.QueueJob(ctx, a, api.QueueJobInput{})
			return err
		},
		api.UseOverride: func(ctx context.Context, a api.Actor) error {
			_, err := f.QueueJob(ctx, a, api.QueueJobInput{Overrides: []string{"x"}})
			return err
		},
		api.UseGetJob:   func(ctx context.Context, a api.Actor) error { _, err := f.GetJob(ctx, a, "x"); return err },
		api.UseGetBuild: func(ctx context.Context, a api.Actor) error { _, err := f.GetBuild(ctx, a, "x"); return err },
		api.UseListBuilds: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListBuilds(ctx, a, api.BuildFilter{}, page)
			return err
		},
		api.UseListJobs: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListJobs(ctx, a, api.JobFilter{}, page)
			return err
		},
		api.UseCancelJob: func(ctx context.Context, a api.Actor) error { _, err := f.CancelJob(ctx, a, "x"); return err },
		api.UseScheduleJob: func(ctx context.Context, a api.Actor) error {
			_, err := f.ScheduleJob(ctx, a, api.ScheduleJobInput{ID: "x"})
			return err
		},
		api.UseEstimateJob: func(ctx context.Context, a api.Actor) error {
			_, err := f.EstimateJob(ctx, a, api.EstimateInput{Host: "x"})
			return err
		},
		api.UseCancelBuild: func(ctx context.Context, a api.Actor) error { _, err := f.CancelBuild(ctx, a, "x", "y"); return err },
		api.UseSearch:      func(ctx context.Context, a api.Actor) error { _, err := f.Search(ctx, a, "x"); return err },
		api.UseRetryBuilds: func(ctx context.Context, a api.Actor) error {
			_, err := f.RetryBuilds(ctx, a, api.RetryBuildsInput{JobID: "x"})
			return err
		},
		api.UseGetOverview: func(ctx context.Context, a api.Actor) error { _, err := f.GetOverview(ctx, a); return err },
		api.UseListAudit: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListAudit(ctx, a, api.AuditFilter{}, page)
			return err
		},
		api.UseListHistory: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListHistory(ctx, a, "image", "x", page)
			return err
		},
		api.UseListSites: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListSites(ctx, a, api.ShelfFilter{}, page)
			return err
		},
		api.UseListEvents: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListEvents(ctx, a, api.EventFilter{}, "", 1)
			return err
		},
		api.UseListWebhooks: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListWebhooks(ctx, a, api.WebhookFilter{}, page)
			return err
		},
		api.UseGetWebhook: func(ctx context.Context, a api.Actor) error { _, err := f.GetWebhook(ctx, a, "x"); return err },
		api.UseSaveWebhook: func(ctx context.Context, a api.Actor) error {
			_, err := f.CreateWebhook(ctx, a, api.SaveWebhookInput{})
			return err
		},
		api.UsePauseWebhook: func(ctx context.Context, a api.Actor) error {
			_, err := f.PauseWebhook(ctx, a, "x", 0)
			return err
		},
		api.UseDeleteWebhook: func(ctx context.Context, a api.Actor) error { return f.DeleteWebhook(ctx, a, "x", 0) },
		api.UseRotateSecret: func(ctx context.Context, a api.Actor) error {
			_, err := f.RotateWebhookSecret(ctx, a, api.RotateSecretInput{ID: "x"})
			return err
		},
		api.UsePingWebhook: func(ctx context.Context, a api.Actor) error { _, err := f.PingWebhook(ctx, a, "x"); return err },
		api.UseRedeliverWebhook: func(ctx context.Context, a api.Actor) error {
			_, err := f.Redeliver(ctx, a, "x", "x")
			return err
		},
		api.UseSaveSite: func(ctx context.Context, a api.Actor) error {
			_, err := f.SaveSite(ctx, a, api.SaveSiteInput{})
			return err
		},
		api.UseRetireSite: func(ctx context.Context, a api.Actor) error {
			_, err := f.RetireSite(ctx, a, api.RetireInput{ID: "x"})
			return err
		},
		api.UseUpdateHost: func(ctx context.Context, a api.Actor) error {
			_, err := f.UpdateHost(ctx, a, api.UpdateHostInput{ID: unknownHost, Name: "x"})
			return err
		},
		api.UseRetireTemplate: func(ctx context.Context, a api.Actor) error {
			_, err := f.RetireTemplate(ctx, a, api.RetireInput{ID: "x"})
			return err
		},
		api.UseRetireSequence: func(ctx context.Context, a api.Actor) error {
			_, err := f.RetireTaskSequence(ctx, a, api.RetireInput{ID: "x"})
			return err
		},
		api.UseListViews: func(ctx context.Context, a api.Actor) error { _, err := f.ListViews(ctx, a, "jobs"); return err },
		api.UseSaveView: func(ctx context.Context, a api.Actor) error {
			_, err := f.SaveView(ctx, a, api.SaveViewInput{List: "x", Name: "x"})
			return err
		},
		api.UseShareView: func(ctx context.Context, a api.Actor) error {
			_, err := f.SaveView(ctx, a, api.SaveViewInput{List: "x", Name: "x", Shared: true})
			return err
		},
		api.UseListConnectors: func(ctx context.Context, a api.Actor) error {
			if _, err := f.GetConnector(ctx, a, "x"); err == nil || a.Can(api.UseListConnectors) && got(err) != "connector_not_found" {
				return err
			}
			if _, err := f.ListConnectorPayloads(ctx, a, "x"); err == nil || a.Can(api.UseListConnectors) && got(err) != "connector_not_found" {
				return err
			}
			if _, err := f.ListWriteBacks(ctx, a, "x", api.Page{}); err == nil || a.Can(api.UseListConnectors) && got(err) != "connector_not_found" {
				return err
			}
			_, err := f.ListConnectors(ctx, a, api.ShelfFilter{}, api.Page{})
			return err
		},
		api.UseSaveConnector: func(ctx context.Context, a api.Actor) error {
			ticket := connector.Mapping{connector.FieldTicket: {Path: "x"}}
			for _, call := range []func() error{
				func() error { _, err := f.RenewConnectorSecret(ctx, a, "x", "", 0); return err },
				func() error { _, err := f.SaveConnectorMapping(ctx, a, "x", ticket, 0); return err },
				func() error { _, err := f.TestConnectorMapping(ctx, a, "x", ticket, "{}"); return err },
				func() error { _, err := f.SaveWriteBack(ctx, a, api.SaveWriteBackInput{ID: "x"}); return err },
			} {
				if err := call(); err == nil || a.Can(api.UseSaveConnector) && got(err) != "connector_not_found" {
					return err
				}
			}
			if _, err := f.TestWriteBack(ctx, a, connector.Reply{}); a.Can(api.UseSaveConnector) && got(err) != connector.CodeTemplateInvalid {
				return err
			}
			_, err := f.SaveConnector(ctx, a, api.SaveConnectorInput{})
			return err
		},
		api.UseRetireConnector: func(ctx context.Context, a api.Actor) error {
			_, err := f.RetireConnector(ctx, a, api.RetireInput{ID: "x"})
			return err
		},
		api.UseResendWriteBack: func(ctx context.Context, a api.Actor) error {
			_, err := f.ResendWriteBack(ctx, a, "x", "writeback_01jd6y9k3te0mv8b0g2z5q4w7x")
			return err
		},
		api.UseReceiveHook: func(ctx context.Context, a api.Actor) error {
			_, err := f.ReceiveHook(ctx, a, api.HookDelivery{Connector: "x"})
			if got(err) == api.CodeHookRefused { // it is the delivery that is not believed
				return nil
			}
			return err
		},
		api.UseListStickRequests: func(ctx context.Context, a api.Actor) error {
			if _, err := f.GetStickRequest(ctx, a, unknownRequest); a.Can(api.UseListStickRequests) && got(err) != "stick_request_not_found" {
				return err
			}
			_, err := f.ListStickRequests(ctx, a, api.StickRequestFilter{}, api.Page{})
			return err
		},
		api.UseDeclineStickRequest: func(ctx context.Context, a api.Actor) error {
			_, err := f.DeclineStickRequest(ctx, a, api.MoveRequestInput{ID: unknownRequest, Reason: "x"})
			return err
		},
		api.UseReopenStickRequest: func(ctx context.Context, a api.Actor) error {
			_, err := f.ReopenStickRequest(ctx, a, api.MoveRequestInput{ID: unknownRequest})
			return err
		},
		api.UseBackup: func(ctx context.Context, a api.Actor) error {
			_, err := f.Backup(ctx, a, io.Discard, "test")
			return err
		},
		api.UseCollectGarbage: func(ctx context.Context, a api.Actor) error {
			_, err := f.CollectGarbage(ctx, a, api.CollectGarbageInput{})
			return err
		},
		api.UseListSettings: func(ctx context.Context, a api.Actor) error {
			_, err := f.ListSettings(ctx, a, api.SettingFilter{})
			return err
		},
		api.UseGetFirstRun:  func(ctx context.Context, a api.Actor) error { _, err := f.GetFirstRun(ctx, a); return err },
		api.UseSaveFirstRun: func(ctx context.Context, a api.Actor) error { return f.MarkFirstRunStep(ctx, a, "x", api.FirstRunDone) },
		api.UseSaveSetting: func(ctx context.Context, a api.Actor) error {
			_, err := f.SaveSetting(ctx, a, api.SaveSettingInput{Name: "x"})
			return err
		},
	}
}

// IDs of the right form that nothing has.
const (
	unknownUser    = "user_01jd6y9k3te0mv8b0g2z5q4w7x"
	unknownToken   = "token_01jd6y9k3te0mv8b0g2z5q4w7x"
	unknownVersion = "ver_01jd6y9k3te0mv8b0g2z5q4w7x"
	unknownRequest = "request_01jd6y9k3te0mv8b0g2z5q4w7x"
	unknownHost    = "host_01jd6y9k3te0mv8b0g2z5q4w7x"
)

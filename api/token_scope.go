package api

import (
	"slices"

	"github.com/stickpress/stickpress/api/fault"
)

// TokenScope is a part of what a token's role and sites allow: a token that is
// given some may do nothing else. One without any may do whatever they allow.
type TokenScope string

// The scopes of tokens. Each includes TokenRead, since the answer to a change is
// the thing as it is then, and no other.
const (
	TokenNone      TokenScope = ""                // of what asks for no token at all
	TokenRead      TokenScope = "read"            // sees what people of the helpdesk see
	TokenJobs      TokenScope = "jobs:write"      // queues, cancels and retries jobs
	TokenSticks    TokenScope = "sticks:write"    // issues, takes back and retires sticks
	TokenImages    TokenScope = "images:write"    // uploads and publishes, captures, sets channels
	TokenTemplates TokenScope = "templates:write" // templates, with their secrets, and task sequences
	TokenHosts     TokenScope = "hosts:write"     // enrols, moves, calibrates and revokes hosts
	TokenRequests  TokenScope = "requests:write"  // takes tickets' deliveries, declines requests
	TokenAccount   TokenScope = "account:write"   // its owner's tokens, as far as it made them, sessions and views
	TokenAdmin     TokenScope = "admin"           // people, sites, settings, webhooks, connectors, the audit log
)

// TokenScopes lists them, in the order in which they are shown.
var TokenScopes = []TokenScope{
	TokenRead, TokenJobs, TokenSticks, TokenImages, TokenTemplates, TokenHosts, TokenRequests, TokenAccount, TokenAdmin,
}

// tokenScopes is the scope that a use case asks a token for: the one place
// where this is decided, beside permissions and scopes. What is not here is
// for every viewer and read, or needs no token: see tokenScopeOf.
var tokenScopes = map[UseCase]TokenScope{
	UseListStickRequests: TokenRead, // for the helpdesk

	UseQueueJob:    TokenJobs,
	UseOverride:    TokenJobs,
	UseCancelJob:   TokenJobs,
	UseScheduleJob: TokenJobs,
	UseCancelBuild: TokenJobs,
	UseRetryBuilds: TokenJobs,

	UseReturnStick:      TokenSticks,
	UseIssueStick:       TokenSticks,
	UseDeclareStickLost: TokenSticks,
	UseStickFound:       TokenSticks,
	UseRetireStick:      TokenSticks,
	UseTickStickTask:    TokenSticks,
	UseUndoStickMove:    TokenSticks,
	UseSettleStickData:  TokenSticks,

	UseCreateImage:     TokenImages,
	UsePublishVersion:  TokenImages,
	UseWithdrawVersion: TokenImages,
	UseSetBlockMap:     TokenImages,
	UseSetChannel:      TokenImages,
	UseUpload:          TokenImages,
	UseCapture:         TokenImages, // to queue one, beside TokenJobs
	UseSaveExclusions:  TokenImages,

	UseTemplateSource:   TokenTemplates,
	UseCheckTemplate:    TokenTemplates,
	UseSaveTemplate:     TokenTemplates,
	UseRetireTemplate:   TokenTemplates,
	UseSaveTaskSequence: TokenTemplates,
	UseRetireSequence:   TokenTemplates,

	UseCreateEnrolment: TokenHosts,
	UseRevokeHost:      TokenHosts,
	UseDeclareHostLost: TokenHosts,
	UseCalibrateHost:   TokenHosts,
	UseUpdateHost:      TokenHosts,
	UseIdentifyDevice:  TokenHosts,

	UseReceiveHook:         TokenRequests, // where the token is the connector's password
	UseDeclineStickRequest: TokenRequests,
	UseReopenStickRequest:  TokenRequests,

	UseCreateToken:        TokenAccount,
	UseRevokeToken:        TokenAccount,
	UseEndSession:         TokenAccount,
	UseGetPairing:         TokenAccount,
	UseAnswerPairing:      TokenAccount,
	UseSaveView:           TokenAccount,
	UseShareView:          TokenAccount,
	UseChangePassword:     TokenAccount,
	UseEnableTOTP:         TokenAccount,
	UseDisableTOTP:        TokenAccount,
	UseRenewRecoveryCodes: TokenAccount,

	UseCreateSignInLink:   TokenAdmin,
	UseListUsers:          TokenAdmin,
	UseCreateUser:         TokenAdmin,
	UseUpdateUser:         TokenAdmin,
	UseDisableUser:        TokenAdmin,
	UseUnlockUser:         TokenAdmin,
	UseResetTOTP:          TokenAdmin,
	UseCreatePasswordLink: TokenAdmin,
	UseListAudit:          TokenAdmin,
	UseExportAudit:        TokenAdmin,
	UseSaveSite:           TokenAdmin,
	UseRetireSite:         TokenAdmin,
	UseListSettings:       TokenAdmin,
	UseSaveSetting:        TokenAdmin,
	UseGetFirstRun:        TokenAdmin,
	UseSaveFirstRun:       TokenAdmin,
	UseBackup:             TokenAdmin,
	UseCollectGarbage:     TokenAdmin,
	UseListConnectors:     TokenAdmin,
	UseSaveConnector:      TokenAdmin,
	UseRetireConnector:    TokenAdmin,
	UseResendWriteBack:    TokenAdmin,
	UseListWebhooks:       TokenAdmin,
	UseGetWebhook:         TokenAdmin,
	UseSaveWebhook:        TokenAdmin,
	UsePauseWebhook:       TokenAdmin,
	UseDeleteWebhook:      TokenAdmin,
	UseRotateSecret:       TokenAdmin,
	UsePingWebhook:        TokenAdmin,
	UseRedeliverWebhook:   TokenAdmin,
}

// tokenScopeOf is the scope that a use case asks a token for. What was
// forgotten in tokenScopes asks for the widest.
func tokenScopeOf(u UseCase) TokenScope {
	if s, ok := tokenScopes[u]; ok {
		return s
	}
	switch permissions[u] { //nolint:exhaustive // the others are for the widest
	case RoleNone:
		return TokenNone
	case RoleViewer:
		return TokenRead
	}
	return TokenAdmin
}

// hasScope reports whether a token of the actor's may be for a scope, or is.
func (a Actor) hasScope(s TokenScope) bool {
	return len(a.Scopes) == 0 || s == TokenRead || slices.Contains(a.Scopes, s)
}

// inScope refuses a token that was not made for a use case. Faults: scope_missing.
func (a Actor) inScope(u UseCase) error {
	if want := tokenScopeOf(u); want != TokenNone && !a.hasScope(want) {
		return fault.New(fault.KindForbidden, CodeScopeMissing, "scope", want, "action", u)
	}
	return nil
}

// tokenScopesFor checks the scopes that a token is to have, made by a: none are
// all of a's. It returns them each once, in the order of TokenScopes.
// Faults: scope_unknown, scope_missing.
func (a Actor) tokenScopesFor(want []TokenScope) ([]string, error) {
	for _, s := range want {
		if !slices.Contains(TokenScopes, s) {
			return nil, fault.New(fault.KindInvalid, CodeScopeUnknown, "scope", s, "scopes", oneOf(TokenScopes)).At("scopes")
		}
		if !a.hasScope(s) {
			return nil, fault.New(fault.KindForbidden, CodeScopeMissing, "scope", s, "action", UseCreateToken).At("scopes")
		}
	}
	if len(want) == 0 {
		want = a.Scopes
	}
	out := []string{}
	for _, s := range TokenScopes {
		if slices.Contains(want, s) {
			out = append(out, string(s))
		}
	}
	return out, nil
}

// tokenScopesOf reads stored scopes. One that this program does not know stays
// among them: without it a token would have none, and do everything.
func tokenScopesOf(stored []string) []TokenScope {
	out := make([]TokenScope, 0, len(stored))
	for _, s := range stored {
		out = append(out, TokenScope(s))
	}
	return out
}

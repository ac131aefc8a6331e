package api

import (
	"context"
	"slices"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Scope says what a use case has to do with sites.
type Scope int

// The scopes.
const (
	_           Scope = iota
	ScopeSelf         // oneself, or nobody yet: signing in, one's own account
	ScopeShared       // reads what all sites share: images, templates, task sequences
	ScopeSite         // hosts, jobs, sticks, people: what is outside the actor's sites is not there
	ScopeEvery        // changes what all sites share, or tells its secrets: not for who is limited to some
)

// scopes is the scope of every use case: the one place where this is decided,
// beside permissions.
var scopes = map[UseCase]Scope{
	UseSetup:              ScopeSelf,
	UseSignIn:             ScopeSelf,
	UseSignInService:      ScopeSelf,
	UseSignInCode:         ScopeSelf,
	UseChoosePassword:     ScopeSelf,
	UseChangePassword:     ScopeSelf,
	UseEnableTOTP:         ScopeSelf,
	UseDisableTOTP:        ScopeSelf,
	UseRenewRecoveryCodes: ScopeSelf,
	UseRedeemSignInLink:   ScopeSelf,
	UseEnrollHost:         ScopeSelf, // the enrolment token has the site
	UsePublishCapture:     ScopeSelf, // the job has it
	UseReceiveHook:        ScopeSelf, // the ticket has the site
	UseBeginPairing:       ScopeSelf,
	UseGetPairing:         ScopeSelf,
	UseAnswerPairing:      ScopeSelf,
	UseEndPairing:         ScopeSelf,

	UseListViews:         ScopeSelf, // one's own, and everybody's
	UseSaveView:          ScopeSelf,
	UseListImages:        ScopeShared,
	UseGetImage:          ScopeShared,
	UseListTemplates:     ScopeShared,
	UseGetTemplate:       ScopeShared,
	UseListTaskSequences: ScopeShared,
	UseGetTaskSequence:   ScopeShared,

	UseListStickRequests:   ScopeSite,
	UseDeclineStickRequest: ScopeSite,
	UseReopenStickRequest:  ScopeSite,

	UseListSites:          ScopeSite,
	UseListHosts:          ScopeSite,
	UseGetHost:            ScopeSite,
	UseListSticks:         ScopeSite,
	UseGetStick:           ScopeSite,
	UseGetCertificate:     ScopeSite,
	UseGetJob:             ScopeSite,
	UseListJobs:           ScopeSite,
	UseGetBuild:           ScopeSite,
	UseListBuilds:         ScopeSite,
	UseGetOverview:        ScopeSite,
	UseQueueJob:           ScopeSite,
	UseCancelBuild:        ScopeSite,
	UseUpdateHost:         ScopeSite,
	UseListHistory:        ScopeSite,
	UseRetryBuilds:        ScopeSite,
	UseSearch:             ScopeSite,
	UseScheduleJob:        ScopeSite,
	UseEstimateJob:        ScopeSite,
	UseCancelJob:          ScopeSite,
	UseReturnStick:        ScopeSite,
	UseIssueStick:         ScopeSite,
	UseDeclareStickLost:   ScopeSite,
	UseStickFound:         ScopeSite,
	UseRetireStick:        ScopeSite,
	UseTickStickTask:      ScopeSite,
	UseUndoStickMove:      ScopeSite,
	UseSettleStickData:    ScopeSite,
	UseIdentifyDevice:     ScopeSite,
	UseOverride:           ScopeSite,
	UseCreateEnrolment:    ScopeSite,
	UseRevokeHost:         ScopeSite,
	UseDeclareHostLost:    ScopeSite,
	UseCalibrateHost:      ScopeSite,
	UseListUsers:          ScopeSite,
	UseGetUser:            ScopeSite,
	UseCreateUser:         ScopeSite,
	UseUpdateUser:         ScopeSite,
	UseDisableUser:        ScopeSite,
	UseUnlockUser:         ScopeSite,
	UseResetTOTP:          ScopeSite,
	UseCreatePasswordLink: ScopeSite,
	UseListSessions:       ScopeSite,
	UseEndSession:         ScopeSite,
	UseCreateSignInLink:   ScopeSite,
	UseCreateToken:        ScopeSite,
	UseListTokens:         ScopeSite,
	UseRevokeToken:        ScopeSite,
	UseExportAudit:        ScopeSite,
	UseListAudit:          ScopeSite,

	UseListConnectors:  ScopeEvery,
	UseSaveConnector:   ScopeEvery,
	UseRetireConnector: ScopeEvery,
	UseResendWriteBack: ScopeEvery,
	UseListEvents:      ScopeSite,

	UseListWebhooks:     ScopeEvery, // they tell of all sites
	UseGetWebhook:       ScopeEvery,
	UseSaveWebhook:      ScopeEvery,
	UsePauseWebhook:     ScopeEvery,
	UseDeleteWebhook:    ScopeEvery,
	UseRotateSecret:     ScopeEvery,
	UsePingWebhook:      ScopeEvery,
	UseRedeliverWebhook: ScopeEvery,
	UseSaveSite:         ScopeEvery,
	UseRetireSite:       ScopeEvery,
	UseRetireTemplate:   ScopeEvery,
	UseRetireSequence:   ScopeEvery,
	UseShareView:        ScopeEvery,
	UseListSettings:     ScopeEvery,
	UseSaveSetting:      ScopeEvery,
	UseGetFirstRun:      ScopeEvery,
	UseSaveFirstRun:     ScopeEvery,
	UseBackup:           ScopeEvery,
	UseCollectGarbage:   ScopeEvery,
	UseCreateImage:      ScopeEvery,
	UsePublishVersion:   ScopeEvery,
	UseSetBlockMap:      ScopeEvery,
	UseWithdrawVersion:  ScopeEvery,
	UseSetChannel:       ScopeEvery,
	UseUpload:           ScopeEvery,
	UseTemplateSource:   ScopeEvery,
	UseCheckTemplate:    ScopeEvery,
	UseSaveTemplate:     ScopeEvery,
	UseSaveTaskSequence: ScopeEvery,
	UseCapture:          ScopeEvery, // it publishes a version
	UseSaveExclusions:   ScopeEvery,
}

// Limited reports whether the actor sees some sites only.
func (a Actor) Limited() bool { return len(a.Sites) > 0 }

// within reports whether somebody with these sites (none: every site) has no
// more than the actor has.
func (a Actor) within(sites []string) bool {
	if !a.Limited() {
		return true
	}
	return len(sites) > 0 && !slices.ContainsFunc(sites, func(s string) bool { return !slices.Contains(a.Sites, s) })
}

// checkRole refuses a role that is to be given to somebody and that the actor does
// not have. Faults: role_unknown, forbidden.
func (a Actor) checkRole(u UseCase, role Role) error {
	switch {
	case !slices.Contains(Roles, role):
		return errRoleUnknown(role)
	case !a.Role.Includes(role):
		return fault.New(fault.KindForbidden, CodeForbidden, "action", u, "role", role).At("role")
	}
	return nil
}

// grantedSites reads the IDs of sites that are to be given to somebody and that the
// actor has. None are every site, which only somebody may give who is not limited.
// Faults: sites_too_wide, site_not_found.
func (a Actor) grantedSites(ctx context.Context, r store.Reader, sites []string) ([]store.SiteID, error) {
	if a.Limited() && len(sites) == 0 {
		return nil, fault.New(fault.KindForbidden, CodeSitesTooWide).At("sites")
	}
	for _, s := range sites {
		if !a.InSite(s) {
			return nil, store.NotFound("site", s).At("sites")
		}
	}
	return knownSites(ctx, r, sites)
}

// knownSites reads the IDs of sites, each once, in their order, and refuses those
// that there are not: a scope of nothing but those would be none.
func knownSites(ctx context.Context, r store.Reader, sites []string) ([]store.SiteID, error) {
	ids, err := siteIDs(sites)
	if err != nil {
		return nil, err
	}
	for _, s := range ids {
		if _, err := r.Site(ctx, s); err != nil {
			return nil, fault.From(err).At("sites")
		}
	}
	return ids, nil
}

// siteIDs reads the IDs of sites, each once, in their order.
func siteIDs(sites []string) ([]store.SiteID, error) {
	ids, err := parseAll[store.SiteID]("site", slices.Compact(slices.Sorted(slices.Values(sites))))
	if err != nil {
		return nil, fault.From(err).At("sites")
	}
	return ids, nil
}

func siteTexts(sites []store.SiteID) []string {
	out := make([]string, 0, len(sites))
	for _, s := range sites {
		out = append(out, s.String())
	}
	return out
}

// common is what two scopes have in common; ok is false when that is nothing,
// which an empty scope would not say.
func common(a, b []string) (sites []string, ok bool) {
	switch {
	case len(a) == 0:
		return b, true
	case len(b) == 0:
		return a, true
	}
	for _, s := range a {
		if slices.Contains(b, s) {
			sites = append(sites, s)
		}
	}
	return sites, len(sites) > 0
}

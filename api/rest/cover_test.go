package rest_test

import (
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/resttest"
)

// elsewhere are the use cases that have no operation, and why.
var elsewhere = map[api.UseCase]string{
	api.UseSetup:              "the first admin is made in the browser, or by the settings of the server: there is no token yet",
	api.UseSignIn:             "it begins a session of a browser; programs have tokens",
	api.UseGetPairing:         "people only, in a browser: it is a person who answers a program",
	api.UseAnswerPairing:      "people only, in a browser: it is a person who answers a program",
	api.UseSignInCode:         "it is a part of signing in",
	api.UseSignInService:      "it is a part of signing in",
	api.UseRedeemSignInLink:   "it is a part of signing in",
	api.UseChoosePassword:     "it is a part of signing in",
	api.UseChangePassword:     "people only: a token must not change how its owner signs in",
	api.UseEnableTOTP:         "people only",
	api.UseDisableTOTP:        "people only",
	api.UseRenewRecoveryCodes: "people only",
	api.UseBackup:             "it writes beside the server: stickpress admin backup",
	api.UseCollectGarbage:     "it looks at the server's own folders: stickpress admin gc",
	api.UseEnrollHost:         "an agent's: it has the door of the hosts",
	api.UsePublishCapture:     "an agent's: it has the door of the hosts",
}

// Whatever the console can do has an operation.
func TestEveryUseCaseHasAnOperation(t *testing.T) {
	t.Parallel()
	there := map[api.UseCase]bool{}
	for _, op := range resttest.Start(t).Contract.All() {
		for _, use := range op.Access.UseCases {
			there[use] = true
		}
		if op.Access.Besides != nil {
			for _, use := range op.Access.Besides.UseCases {
				there[use] = true
			}
		}
	}
	there[api.UseListHistory] = true // each kind of thing has its own, for whom may see it
	for _, use := range api.UseCases() {
		switch why := elsewhere[use]; {
		case there[use] && why != "":
			t.Errorf("%s has an operation and is said to have none", use)
		case !there[use] && why == "":
			t.Errorf("%s has no operation", use)
		}
	}
}

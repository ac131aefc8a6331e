package rest_test

import (
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/resttest"
)

// within are the use cases whose operations have names of their own.
var within = map[api.UseCase][]string{
	api.UseListHistory: {
		"image_history", "version_history", "template_history", "task_sequence_history", "host_history", "site_history", "setting_history",
		"webhook_history", "connector_history", "stick_request_history", "user_history", "token_history",
	},
	api.UseCalibrateHost: {"start_calibration", "step_calibration", "set_host_ports"},
	api.UseUpload:        {"begin_upload", "continue_upload", "upload_offset", "end_upload", "get_upload"},
	api.UseCapture:       {"queue_job", "get_exclusions"}, // a job of this kind
	api.UseOverride:      {"queue_job", "retry_builds"},   // of their refusals
	api.UseShareView:     {"create_view", "save_view", "delete_view"},
}

// elsewhere are the use cases that have no operation, and why.
var elsewhere = map[api.UseCase]string{
	api.UseSetup:              "the first admin is made in the browser, or by the settings of the server: there is no token yet",
	api.UseSignIn:             "it begins a session of a browser; programs have tokens",
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
	there := map[string]bool{}
	for _, id := range resttest.Start(t).Contract.Operations() {
		there[id] = true
	}
	for _, use := range api.UseCases() {
		operations, why := within[use], elsewhere[use]
		switch {
		case there[string(use)]:
			if why != "" || len(operations) > 0 {
				t.Errorf("%s has an operation of its name and is said to have none", use)
			}
		case len(operations) > 0:
			for _, id := range operations {
				if !there[id] {
					t.Errorf("%s is said to be done by %s, which is not there", use, id)
				}
			}
		case why == "":
			t.Errorf("%s has no operation", use)
		}
	}
}

package api_test

import (
	"errors"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

func TestPermissions(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	calls := calls(f)
	actors := map[api.Role]api.Actor{
		api.RoleNone: api.Anonymous("en", "", "192.0.2.3"), api.RoleViewer: f.Viewer, api.RoleHelpdesk: f.Helpdesk, api.RoleAdmin: f.Admin,
	}
	for use, least := range api.Permissions {
		call, ok := calls[use]
		if !ok {
			t.Errorf("no call of %s in this test", use)
			continue
		}
		for role, actor := range actors {
			allowed := least == api.RoleNone || role.Includes(least)
			if actor.Can(use) != allowed {
				t.Errorf("Can(%s) of role %q is %v", use, role, !allowed)
			}
			err := call(t.Context(), actor)
			var refused *fault.Error
			if errors.As(err, &refused) && refused.Code != api.CodeSignInNeeded && refused.Code != api.CodeForbidden {
				refused = nil
			}
			switch {
			case allowed && refused != nil:
				t.Errorf("%s of role %q was turned away: %v", use, role, err)
			case !allowed && refused == nil:
				t.Errorf("%s of role %q was not turned away: %v", use, role, err)
			case !allowed && (role == api.RoleNone) != (refused.Code == api.CodeSignInNeeded):
				t.Errorf("%s of role %q: %v", use, role, err)
			}
		}
	}
	if len(calls) != len(api.Permissions) {
		t.Errorf("%d calls for %d use cases", len(calls), len(api.Permissions))
	}
}

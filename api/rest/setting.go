package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) settingRoutes() {
	op := get("/settings", "list_settings", "settings", "Settings with their values and where those come from")
	op.Description = "Those that can be changed here have a 'kind'; what the server was told by a flag, its environment or its file goes before. Secrets are masked. There are no pages: it is a closed set of some forty."
	all(s, op, api.SettingFields, s.console.ListSettings)

	type one struct {
		Setting string `path:"setting" doc:"Name of a setting, such as 'public-url'."`
	}
	register(s, get("/settings/{setting}", "get_setting", "settings", "A setting"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.Setting], error) {
			return settingFound(s.console.GetSetting(ctx, a, in.Setting))
		})

	type change struct {
		MatchOrNone
		Setting string `path:"setting" doc:"Name of a setting that has a 'kind'."`
		Body    wire.SaveSetting
	}
	op = put("/settings/{setting}", "save_setting", "settings", "Set a setting")
	op.Description = "It holds from then on, on other replicas a second later."
	register(s, op, func(ctx context.Context, a api.Actor, in *change) (*found[api.Setting], error) {
		return settingFound(s.console.SaveSetting(ctx, a, api.SaveSettingInput{Name: in.Setting, Value: in.Body.Value, Revision: in.revision}))
	})

	type reset struct {
		Match
		Setting string `path:"setting" doc:"Name of a setting that has a 'kind'."`
	}
	register(s, remove("/settings/{setting}", "reset_setting", "settings", "Give a setting its default again"),
		func(ctx context.Context, a api.Actor, in *reset) (*struct{}, error) {
			_, err := s.console.SaveSetting(ctx, a, api.SaveSettingInput{Name: in.Setting, Revision: in.revision})
			return nil, err
		})
}

func settingFound(v api.Setting, err error) (*found[api.Setting], error) {
	return foundOf(v, v.Revision, err)
}

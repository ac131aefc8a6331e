package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) userRoutes() {
	list(s, get("/users", "list_users", "users", "People by login"), api.UserFields, s.console.ListUsers)

	type input struct{ Body wire.CreateUser }
	register(s, create("/users", "create_user", "users", "Add a person"),
		func(ctx context.Context, a api.Actor, in *input) (*made[api.User], error) {
			u, err := s.console.CreateUser(ctx, a, api.CreateUserInput{
				Login: in.Body.Login, Name: in.Body.Name, Role: api.Role(in.Body.Role), Sites: in.Body.Sites, Locale: in.Body.Locale, Password: in.Body.Password,
			})
			return madeOf(u, "/users/"+u.ID, u.Revision, err)
		})

	type one struct {
		User string `path:"user" doc:"ID of a person."`
	}
	register(s, get("/users/{user}", "get_user", "users", "A person: oneself, or anyone for admins"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.User], error) {
			u, err := s.console.GetUser(ctx, a, in.User)
			return foundOf(u, u.Revision, err)
		})
}

package rest

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// userChangeRoutes are what an admin does about people.
func (s *REST) userChangeRoutes() {
	type change struct {
		Match
		User string `path:"user" doc:"ID of a person."`
		Body wire.UpdateUser
	}
	op := put("/users/{user}", "update_user", "users", "Change a person's name, role and sites")
	op.Description = "It holds from the person's next request on. Role and sites of people from a directory or provider are theirs to say."
	register(s, op, func(ctx context.Context, a api.Actor, in *change) (*found[api.User], error) {
		return userFound(s.console.UpdateUser(ctx, a, api.UpdateUserInput{
			ID: in.User, Name: in.Body.Name, Role: api.Role(in.Body.Role), Sites: in.Body.Sites, Revision: in.revision,
		}))
	})

	s.changeUser("disablements", "disable_user", "Shut a person out at once: sessions and tokens",
		func(ctx context.Context, a api.Actor, id string) (api.User, error) {
			return s.console.SetUserDisabled(ctx, a, id, true)
		})
	s.changeUser("enablements", "enable_user", "Let a person in again",
		func(ctx context.Context, a api.Actor, id string) (api.User, error) {
			return s.console.SetUserDisabled(ctx, a, id, false)
		})
	s.changeUser("unlocks", "unlock_user", "Forget a person's failed attempts to sign in", s.console.UnlockUser)
	s.changeUser("second-factor-resets", "reset_totp", "Turn off the second factor of somebody who lost it", s.console.ResetTOTP)
	s.linkRoutes()
	s.sessionRoutes()
}

// changeUser registers POST /users/{user}/<noun>.
func (s *REST) changeUser(noun, id, summary string, do func(context.Context, api.Actor, string) (api.User, error)) {
	type input struct {
		User string `path:"user" doc:"ID of a person."`
	}
	register(s, action("/users/{user}/"+noun, id, "users", summary),
		func(ctx context.Context, a api.Actor, in *input) (*found[api.User], error) {
			return userFound(do(ctx, a, in.User))
		})
}

// linkRoutes make links that let a person in.
func (s *REST) linkRoutes() {
	type password struct {
		User string `path:"user" doc:"ID of a person."`
	}
	op := secret(create("/users/{user}/password-links", "create_password_link", "users", "Make a link by which a person chooses a password"), "secret")
	op.Description = "Its page is /sign-in/password?token= and the secret, which is shown only here. Earlier links stop working."
	register(s, op, func(ctx context.Context, a api.Actor, in *password) (*plain[api.SignInLink], error) {
		return plainOf(s.console.CreatePasswordLink(ctx, a, in.User))
	})

	type enter struct {
		User string `path:"user" doc:"ID of a person."`
		Body *wire.CreateSignInLink
	}
	op = secret(create("/users/{user}/sign-in-links", "create_sign_in_link", "users", "Make a link that signs a person in once"), "secret")
	op.Description = "Its page is /sign-in/link?token= and the secret, which is shown only here."
	register(s, op, func(ctx context.Context, a api.Actor, in *enter) (*plain[api.SignInLink], error) {
		u, err := s.console.GetUser(ctx, a, in.User)
		if err != nil {
			return nil, err
		}
		link := api.SignInLinkInput{Login: u.Login}
		if in.Body != nil {
			link.TTL = wire.Duration(in.Body.TTLSeconds)
		}
		return plainOf(s.console.CreateSignInLink(ctx, a, link))
	})
}

// sessionRoutes are about where somebody is signed in.
func (s *REST) sessionRoutes() {
	type of struct {
		User string `path:"user" doc:"ID of a person."`
	}
	op := get("/users/{user}/sessions", "list_sessions", "users", "Where a person is signed in, seen last first")
	op.Description = "A token has no sessions of its own: those of its owner are told in the console alone."
	register(s, op, func(ctx context.Context, a api.Actor, in *of) (*whole[api.Session], error) {
		return itemsOf(s.console.ListSessions(ctx, a, in.User))
	})

	type one struct {
		User    string `path:"user" doc:"ID of a person."`
		Session string `path:"session" doc:"ID of one of the person's sessions."`
	}
	op = action("/users/{user}/sessions/{session}/revocations", "end_session", "users", "Sign a person out in one browser")
	op.DefaultStatus = http.StatusNoContent
	register(s, op, func(ctx context.Context, a api.Actor, in *one) (*struct{}, error) {
		return nil, s.console.EndSession(ctx, a, in.User, in.Session)
	})

	op = action("/users/{user}/sign-outs", "end_sessions", "users", "Sign a person out everywhere")
	op.DefaultStatus = http.StatusNoContent
	register(s, op, func(ctx context.Context, a api.Actor, in *of) (*struct{}, error) {
		return nil, s.console.EndSessions(ctx, a, in.User)
	})
}

func userFound(v api.User, err error) (*found[api.User], error) { return foundOf(v, v.Revision, err) }

// Provider is an OpenID provider for the tests: that of zitadel/oidc, a
// certified implementation that shares no code with the library we sign people
// in by, on a loopback address, with people whose groups a file lists.
//
// It is a module of its own, so that what it needs is nothing that the console
// is built with. The address it listens on is the first line it prints.
//
//	provider CLIENT SECRET REDIRECT-URI POST-LOGOUT-URI PEOPLE.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// person is somebody with an account; the file is read anew at each question,
// so that a test can change it.
type person struct {
	ID, Login, Password, Name string
	Groups                    []string
}

type people struct{ path string }

func (p people) all() []person {
	var list []person
	raw, err := os.ReadFile(p.path)
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		slog.Error("people not read", "error", err)
	}
	return list
}

func (p people) find(is func(person) bool) *person {
	for _, x := range p.all() {
		if is(x) {
			return &x
		}
	}
	return nil
}

func userOf(x *person) *storage.User {
	if x == nil {
		return nil
	}
	return &storage.User{ID: x.ID, Username: x.Login, Password: x.Password, FirstName: x.Name, Email: x.Login + "@example.org", EmailVerified: true}
}

func (p people) GetUserByID(id string) *storage.User {
	return userOf(p.find(func(x person) bool { return x.ID == id }))
}

func (p people) GetUserByUsername(login string) *storage.User {
	return userOf(p.find(func(x person) bool { return x.Login == login }))
}

func (people) ExampleClientID() string { return storage.ServiceUserID }

// store tells groups where they are asked for, as providers do.
type store struct {
	*storage.Storage
	people people
}

func (s store) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	return s.addGroups(info, s.Storage.SetUserinfoFromRequest(ctx, info, token, scopes))
}

func (s store) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	return s.addGroups(info, s.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin))
}

func (s store) addGroups(info *oidc.UserInfo, err error) error {
	x := s.people.find(func(x person) bool { return x.ID == info.Subject })
	if err == nil && x != nil {
		info.AppendClaims("groups", x.Groups)
		info.Name, info.PreferredUsername = x.Name, x.Login
	}
	return err
}

// client also knows where a browser may go after signing out.
type client struct {
	op.Client
	after string
}

func (c client) PostLogoutRedirectURIs() []string { return []string{c.after} }

func (s store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{c, os.Args[4]}, nil
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: provider CLIENT SECRET REDIRECT-URI POST-LOGOUT-URI PEOPLE.json")
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// The library wants the issuer to end in a slash; ours takes it as it is.
	issuer := "http://" + listener.Addr().String() + "/"
	storage.RegisterClients(storage.WebClient(os.Args[1], os.Args[2], os.Args[3]))
	accounts := people{os.Args[5]}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	handler := exampleop.SetupServer(issuer, store{storage.NewStorage(accounts), accounts}, log, false)
	fmt.Println(issuer)
	if err := http.Serve(listener, handler); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

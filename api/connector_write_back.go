package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/textproto"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

// WriteBackConfig says what a connector's tickets are told, and how.
type WriteBackConfig struct {
	Template connector.Reply `json:"template"`
	Events   []string        `json:"events"` // of connector.Events
	Auth     WriteBackAuth   `json:"auth"`
}

// AuthKind is how a write-back proves itself to the ticket system.
type AuthKind string

// The kinds.
const (
	AuthNone   AuthKind = "none"
	AuthBasic  AuthKind = "basic"  // user and secret
	AuthBearer AuthKind = "bearer" // Authorization: Bearer and the secret
	AuthHeader AuthKind = "header" // a header whose value is the secret
	// AuthPassword fetches a token first, by OAuth 2's password grant (RFC 6749
	// section 4.3): what GLPI 11 wants of programs.
	AuthPassword AuthKind = "oauth_password"
	// AuthClient is the same by the client credentials grant (section 4.4).
	AuthClient AuthKind = "oauth_client"
)

// AuthKinds lists the kinds in the order in which they are offered.
var AuthKinds = []AuthKind{AuthNone, AuthBasic, AuthBearer, AuthHeader, AuthPassword, AuthClient}

// ClientAuth is how an OAuth client proves itself to the server that gives tokens,
// by the names of OpenID Connect (Core section 9).
type ClientAuth string

// The ways of RFC 6749 section 2.3.1.
const (
	ClientPost  ClientAuth = "client_secret_post"  // in the form: what is meant if nothing is said
	ClientBasic ClientAuth = "client_secret_basic" // by HTTP Basic
)

// WriteBackAuth is how a write-back proves itself, without its secrets.
type WriteBackAuth struct {
	Kind       AuthKind   `json:"kind" enum:"none,basic,bearer,header,oauth_password,oauth_client"`
	User       string     `json:"user,omitempty"`
	Header     string     `json:"header,omitempty"`
	TokenURL   string     `json:"token_url,omitempty"`
	ClientID   string     `json:"client_id,omitempty"`
	ClientAuth ClientAuth `json:"client_auth,omitempty" enum:"client_secret_post,client_secret_basic" doc:"How the client proves itself where a token is fetched; client_secret_post if left out."`
	Scope      string     `json:"scope,omitempty"`
}

// authSecrets are the secrets of a WriteBackAuth, as they are sealed.
type authSecrets struct {
	Secret       string `json:"secret,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
}

// DefaultAuth is how write-back to a system is usually allowed.
func DefaultAuth(s connector.System) WriteBackAuth {
	switch s {
	case connector.Zammad: // Authorization: Token token=…
		return WriteBackAuth{Kind: AuthHeader, Header: "Authorization"}
	case connector.GLPI:
		return WriteBackAuth{Kind: AuthPassword, TokenURL: "https://glpi.example.org/api.php/token", Scope: "api"}
	case connector.Generic:
		return WriteBackAuth{Kind: AuthBearer}
	case connector.ServiceNow, connector.Jira, connector.Freshservice:
	}
	return WriteBackAuth{Kind: AuthBasic}
}

// SaveWriteBackInput changes what a connector writes back.
type SaveWriteBackInput struct {
	ID     string
	Config *WriteBackConfig // nil: nothing any more
	// Secret and ClientSecret are the secrets of Config.Auth. Empty ones stay what
	// they were, if the kind is.
	Secret, ClientSecret string
	Revision             int64
}

// SaveWriteBack changes what a connector's tickets are told (admin). It is
// filled in with samples first. Faults: connector_not_found,
// write_back_template_invalid, write_back_event_unknown, write_back_auth_invalid,
// write_back_auth_missing, text_too_long, url_invalid, url_not_https,
// address_not_allowed, stale.
func (c *Console) SaveWriteBack(ctx context.Context, a Actor, in SaveWriteBackInput) (Connector, error) {
	if err := allow(a, UseSaveConnector); err != nil {
		return Connector{}, err
	}
	wrong := c.checkWriteBack(ctx, &in)
	if wrong != nil && in.Config.Template.Host() == "" {
		return Connector{}, wrong // whether its secrets must be typed again is not known
	}
	var out Connector
	err := c.change(ctx, a, UseSaveConnector, func(tx *store.Tx, by store.Actor) error {
		before, err := findConnector(ctx, tx.Reader, in.ID)
		if err != nil {
			return err
		}
		was, err := connectorOf(&before)
		if err != nil {
			return err
		}
		raw, auth, err := sealable(ctx, tx, before.ID, &was, &in)
		if err := fault.All(wrong, err); err != nil {
			return err
		}
		row, err := tx.SetConnectorWriteBack(ctx, before.ID, seen(in.Revision, before.Revision), raw, auth)
		if err != nil {
			return err
		}
		if out, err = connectorOf(&row); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveConnector), ObjectKind: "connector", ObjectID: out.ID,
			Before: map[string]any{"write_back": was.WriteBack}, After: map[string]any{"write_back": out.WriteBack, "secret_changed": auth != nil},
		})
	})
	return out, err
}

// sealable is a configuration and its secrets as they are kept: nil secrets
// stay. Those that were not typed again stay only where they went before.
func sealable(ctx context.Context, tx *store.Tx, id store.ConnectorID, was *Connector, in *SaveWriteBackInput) (json.RawMessage, *string, error) {
	none := ""
	if in.Config == nil {
		return nil, &none, nil
	}
	raw, err := json.Marshal(in.Config)
	if err != nil {
		return nil, nil, err
	}
	if in.Config.Auth.Kind == AuthNone {
		return raw, &none, nil
	}
	secrets := authSecrets{Secret: in.Secret, ClientSecret: in.ClientSecret}
	if same := was.WriteBack != nil && sameReceiver(was.WriteBack, in.Config); same {
		var old authSecrets
		text, err := tx.ConnectorAuth(ctx, id)
		if err == nil && text != "" {
			err = json.Unmarshal([]byte(text), &old)
		}
		if err != nil {
			return nil, nil, err
		}
		if secrets.Secret == "" {
			secrets.Secret = old.Secret
		}
		if secrets.ClientSecret == "" {
			secrets.ClientSecret = old.ClientSecret
		}
		if secrets == old {
			return raw, nil, nil
		}
	}
	var secret, client error
	if in.Config.Auth.Kind != AuthClient && secrets.Secret == "" {
		secret = fault.New(fault.KindInvalid, CodeAuthMissing).At("secret")
	}
	if in.Config.Auth.oauth() && secrets.ClientSecret == "" {
		client = fault.New(fault.KindInvalid, CodeAuthMissing).At("client_secret")
	}
	if err := fault.All(secret, client); err != nil {
		return nil, nil, err
	}
	sealed, err := json.Marshal(secrets)
	text := string(sealed)
	return raw, &text, err
}

// sameReceiver reports whether secrets would be sent to where they were sent
// before: who may type an URL is not to learn a secret by it.
func sameReceiver(a, b *WriteBackConfig) bool {
	return a.Auth.Kind == b.Auth.Kind && a.Template.Host() == b.Template.Host() && a.Auth.TokenURL == b.Auth.TokenURL
}

func (a *WriteBackAuth) oauth() bool { return a.Kind == AuthPassword || a.Kind == AuthClient }

// checkWriteBack checks what was typed, all of it, and leaves out what the kind of
// proof does not ask for.
func (c *Console) checkWriteBack(ctx context.Context, in *SaveWriteBackInput) error {
	w := in.Config
	if w == nil {
		return nil
	}
	w.Template.ContentType = strings.TrimSpace(w.Template.ContentType)
	template := w.Template.Check()
	wrong := []error{fault.Renamed(template, func(field string) string { return "config.template." + field })}
	if template == nil {
		wrong = append(wrong, c.checkOutbound(ctx, "config.template.url", w.Template.Host()))
	}
	events := []string{}
	for _, e := range connector.Events {
		if slices.Contains(w.Events, e) {
			events = append(events, e)
		}
	}
	if len(events) != len(w.Events) || len(events) == 0 {
		wrong = append(wrong, fault.New(fault.KindInvalid, CodeEventUnknown, "events", strings.Join(connector.Events, ", ")).At("config.events"))
	}
	w.Events = events
	for _, x := range []struct{ field, text string }{
		{"config.auth.user", w.Auth.User},
		{"config.auth.scope", w.Auth.Scope},
		{"config.auth.client_id", w.Auth.ClientID},
		{"secret", in.Secret},
		{"client_secret", in.ClientSecret},
	} {
		if utf8.RuneCountInString(x.text) > 10*maxText || strings.ContainsFunc(x.text, func(r rune) bool { return r < ' ' }) {
			wrong = append(wrong, authInvalid(x.field))
		}
	}
	return fault.All(append(wrong, c.checkAuth(ctx, &w.Auth))...)
}

// checkAuth checks how a write-back proves itself, all of it, and leaves out what the
// kind does not ask for.
func (c *Console) checkAuth(ctx context.Context, w *WriteBackAuth) error {
	a := *w
	*w = WriteBackAuth{Kind: a.Kind}
	switch a.Kind {
	case AuthNone, AuthBearer:
	case AuthBasic:
		w.User = a.User
	case AuthHeader:
		w.Header = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(a.Header))
		if !httpguts.ValidHeaderFieldName(w.Header) || slices.Contains([]string{"Host", "Content-Length", "Transfer-Encoding", "Connection"}, w.Header) {
			return authInvalid("config.auth.header")
		}
	case AuthPassword, AuthClient:
		w.TokenURL, w.ClientID, w.Scope = strings.TrimSpace(a.TokenURL), strings.TrimSpace(a.ClientID), a.Scope
		if a.Kind == AuthPassword {
			w.User = a.User
		}
		var way, client error
		if w.ClientAuth = cmp.Or(a.ClientAuth, ClientPost); w.ClientAuth != ClientPost && w.ClientAuth != ClientBasic {
			way = authInvalid("config.auth.client_auth")
		}
		if w.ClientID == "" {
			client = authInvalid("config.auth.client_id")
		}
		return fault.All(c.checkOutbound(ctx, "config.auth.token_url", w.TokenURL), client, way)
	default:
		return fault.New(fault.KindInvalid, CodeAuthInvalid, "field", "auth").At("config.auth")
	}
	return nil
}

func authInvalid(field string) error {
	return fault.New(fault.KindInvalid, CodeAuthInvalid, "field", field[strings.LastIndex(field, ".")+1:]).At(field)
}

// checkOutbound refuses a URL that the console does not ask.
func (c *Console) checkOutbound(ctx context.Context, field, address string) error {
	if err := c.outbound.Check(ctx, address); err != nil {
		return fault.From(err).At(field)
	}
	return nil
}

func writeBackOf(r *store.Connector) (*WriteBackConfig, error) {
	if r.WriteBack == nil {
		return nil, nil //nolint:nilnil // nothing is written back
	}
	out := &WriteBackConfig{}
	return out, json.Unmarshal(r.WriteBack, out)
}

// WriteBackPreview is what would be sent for a sample.
type WriteBackPreview struct {
	Event  string `json:"event"`
	Method string `json:"method"`
	URL    string `json:"url"` // empty: nothing is sent
	Body   string `json:"body"`
}

// TestWriteBack fills a template in with a sample of each event, and sends
// nothing (admin). Faults: write_back_template_invalid.
func (c *Console) TestWriteBack(_ context.Context, a Actor, t connector.Reply) ([]WriteBackPreview, error) {
	if err := allow(a, UseSaveConnector); err != nil {
		return nil, err
	}
	if err := t.Check(); err != nil {
		return nil, err
	}
	var out []WriteBackPreview
	for _, event := range connector.Events {
		r, err := t.Render(connector.Sample(event))
		if err != nil {
			return nil, err
		}
		out = append(out, WriteBackPreview{Event: event, Method: r.Method, URL: r.URL, Body: string(r.Body)})
	}
	return out, nil
}

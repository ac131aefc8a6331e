package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Connector names one in a path. It is exported for the same reason as Paging.
type Connector struct {
	Connector string `path:"connector" doc:"ID or name of a connector."`
}

func (s *REST) connectorRoutes() {
	const tag = "connectors"
	list(s, get("/connectors", "list_connectors", tag, "Ticket systems that may ask for sticks, by name"), api.ShelfFields, s.console.ListConnectors)

	register(s, get("/connectors/{connector}", "get_connector", tag, "A connector"),
		func(ctx context.Context, a api.Actor, in *Connector) (*found[api.Connector], error) {
			k, err := s.console.GetConnector(ctx, a, in.Connector)
			return foundOf(k, k.Revision, err)
		})

	type begin struct{ Body wire.CreateConnector }
	op := secret(create("/connectors", "create_connector", tag, "Make a connector; its secret is shown only once"), "secret")
	op.Description = "It begins with the system's usual mapping and writes nothing back."
	register(s, op, func(ctx context.Context, a api.Actor, in *begin) (*made[api.NewConnector], error) {
		b := in.Body
		k, err := s.console.SaveConnector(ctx, a, api.SaveConnectorInput{
			Name: b.Name, Title: b.Title, System: b.System, Method: b.Method, Header: b.Header, User: b.User, Secret: b.Secret,
		})
		return madeOf(k, "/connectors/"+k.ID, k.Revision, err)
	})

	type save struct {
		Connector
		Match
		Body wire.SaveConnector
	}
	register(s, put("/connectors/{connector}", "save_connector", tag, "Change what a connector is called and how it proves itself"),
		func(ctx context.Context, a api.Actor, in *save) (*found[api.Connector], error) {
			b := in.Body
			k, err := s.console.SaveConnector(ctx, a, api.SaveConnectorInput{
				ID: in.Connector.Connector, Name: b.Name, Title: b.Title, Method: b.Method, Header: b.Header, User: b.User, Revision: in.revision,
			})
			return foundOf(k.Connector, k.Revision, err)
		})

	type renew struct {
		Connector
		MayMatch
		Body *wire.ConnectorSecret
	}
	register(s, secret(action("/connectors/{connector}/secrets", "renew_connector_secret", tag, "Give a connector another secret at once; it is shown only here"), "secret"),
		func(ctx context.Context, a api.Actor, in *renew) (*found[api.NewConnector], error) {
			secret := ""
			if in.Body != nil {
				secret = in.Body.Secret
			}
			k, err := s.console.RenewConnectorSecret(ctx, a, in.Connector.Connector, secret, in.revision)
			return foundOf(k, k.Revision, err)
		})

	type retire struct {
		Connector
		MayMatch
		Body *wire.Why
	}
	for _, op := range []struct {
		path, id, summary string
		back              bool
	}{
		{"retirements", "retire_connector", "Take nothing from a connector any more", false},
		{"restorations", "restore_connector", "Take from a connector again", true},
	} {
		register(s, action("/connectors/{connector}/"+op.path, op.id, tag, op.summary), func(ctx context.Context, a api.Actor, in *retire) (*found[api.Connector], error) {
			r := api.RetireInput{ID: in.Connector.Connector, Back: op.back, Revision: in.revision}
			if in.Body != nil {
				r.Reason = in.Body.Reason
			}
			k, err := s.console.RetireConnector(ctx, a, r)
			return foundOf(k, k.Revision, err)
		})
	}
	s.connectorMapping()
	s.connectorWriteBack()
}

func (s *REST) connectorMapping() {
	const tag = "connectors"
	register(s, get("/connectors/{connector}/payloads", "list_connector_payloads", tag, "The last deliveries of a connector, newest first"),
		func(ctx context.Context, a api.Actor, in *Connector) (*whole[api.Payload], error) {
			return itemsOf(s.console.ListConnectorPayloads(ctx, a, in.Connector))
		})

	type save struct {
		Connector
		Match
		Body wire.ConnectorMapping
	}
	register(s, put("/connectors/{connector}/mapping", "save_connector_mapping", tag, "Change what of a connector's deliveries is what"),
		func(ctx context.Context, a api.Actor, in *save) (*found[api.Connector], error) {
			k, err := s.console.SaveConnectorMapping(ctx, a, in.Connector.Connector, in.Body.Mapping, in.revision)
			return foundOf(k, k.Revision, err)
		})

	type test struct {
		Connector
		Body wire.TestMapping
	}
	op := action("/connectors/{connector}/mapping-tests", "test_connector_mapping", tag, "What a mapping would make of a document")
	op.Description = "Nothing is made."
	register(s, op, func(ctx context.Context, a api.Actor, in *test) (*plain[api.MappingTest], error) {
		m := in.Body.Mapping
		if m == nil {
			k, err := s.console.GetConnector(ctx, a, in.Connector.Connector)
			if err != nil {
				return nil, err
			}
			m = k.Mapping
		}
		return plainOf(s.console.TestConnectorMapping(ctx, a, in.Connector.Connector, m, in.Body.Document))
	})
}

func (s *REST) connectorWriteBack() {
	const tag = "connectors"
	type save struct {
		Connector
		Match
		Body wire.ConnectorWriteBack
	}
	op := put("/connectors/{connector}/write-back", "save_connector_write_back", tag, "Change what a connector's tickets are told")
	op.Description = "URL and body are templates; they are filled in with samples before they are kept."
	register(s, op, func(ctx context.Context, a api.Actor, in *save) (*found[api.Connector], error) {
		k, err := s.console.SaveWriteBack(ctx, a, api.SaveWriteBackInput{
			ID: in.Connector.Connector, Config: in.Body.Config, Secret: in.Body.Secret, ClientSecret: in.Body.ClientSecret, Revision: in.revision,
		})
		return foundOf(k, k.Revision, err)
	})

	type list struct {
		Connector
		Paging
	}
	register(s, get("/connectors/{connector}/write-backs", "list_write_backs", tag, "What a connector's tickets were told, newest first"),
		func(ctx context.Context, a api.Actor, in *list) (*listed[api.WriteBack], error) {
			l, err := s.console.ListWriteBacks(ctx, a, in.Connector.Connector, in.page())
			return pageOf(&in.Paging, l, err)
		})

	type resend struct {
		Connector
		WriteBack string `path:"write_back" doc:"ID of what was told."`
	}
	op = work("/connectors/{connector}/write-backs/{write_back}/redeliveries", "resend_write_back", tag, "Tell a ticket once more")
	register(s, op, func(ctx context.Context, a api.Actor, in *resend) (*sent[api.WriteBack], error) {
		told, err := s.console.ResendWriteBack(ctx, a, in.Connector.Connector, in.WriteBack)
		return sentOf(told, "/connectors/"+in.Connector.Connector+"/write-backs", err)
	})
}

func (s *REST) stickRequestRoutes() {
	const tag = "stick requests"
	list(s, get("/stick-requests", "list_stick_requests", tag, "What tickets want, newest first"), api.StickRequestFields, s.console.ListStickRequests)

	type one struct {
		Request string `path:"stick_request" doc:"ID of a request."`
	}
	op := get("/stick-requests/{stick_request}", "get_stick_request", tag, "What a ticket wants")
	op.Description = "POST /jobs answers it: name it in stick_requests, and the sticks as devices. A ticket never chooses a stick."
	register(s, op, func(ctx context.Context, a api.Actor, in *one) (*found[api.StickRequest], error) {
		q, err := s.console.GetStickRequest(ctx, a, in.Request)
		return foundOf(q, q.Revision, err)
	})
	register(s, get("/stick-requests/{stick_request}/write-backs", "list_stick_request_write_backs", tag, "What a request's ticket was told, newest first"),
		func(ctx context.Context, a api.Actor, in *one) (*whole[api.WriteBack], error) {
			return itemsOf(s.console.RequestWriteBacks(ctx, a, in.Request))
		})

	type move struct {
		MayMatch
		Request string `path:"stick_request" doc:"ID of a request."`
		Body    *wire.Why
	}
	moved := func(do func(context.Context, api.Actor, api.MoveRequestInput) (api.StickRequest, error)) func(context.Context, api.Actor, *move) (*found[api.StickRequest], error) {
		return func(ctx context.Context, a api.Actor, in *move) (*found[api.StickRequest], error) {
			m := api.MoveRequestInput{ID: in.Request, Revision: in.revision}
			if in.Body != nil {
				m.Reason = in.Body.Reason
			}
			q, err := do(ctx, a, m)
			return foundOf(q, q.Revision, err)
		}
	}
	op = action("/stick-requests/{stick_request}/refusals", "decline_stick_request", tag, "Say no to a request")
	op.Description = "The reason is needed: the ticket is told."
	register(s, op, moved(s.console.DeclineStickRequest))
	op = action("/stick-requests/{stick_request}/reopenings", "reopen_stick_request", tag, "Open a request again")
	register(s, op, moved(s.console.ReopenStickRequest))
}

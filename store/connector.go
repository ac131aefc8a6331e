package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// Connector is a ticket system that may ask for sticks. Its secrets are read
// with ConnectorSecret and ConnectorAuth alone.
type Connector struct {
	ID         ConnectorID
	Name       string // in the address of its hook: lower-case letters, digits, hyphens
	Title      string
	System     string
	Method     string
	Header     string
	UserName   string
	SecretAt   time.Time // when its secret was set last
	Mapping    json.RawMessage
	WriteBack  json.RawMessage // nil: nothing is written back
	HasAuth    bool            // write-back has something to prove itself by
	Revision   int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	ReceivedAt *time.Time // when a delivery was believed last, to the minute
	RetiredAt  *time.Time // takes nothing any more

	// The last delivery that was not believed, and how many there were since one
	// was or the secret changed.
	RefusedAt    *time.Time
	RefusedFrom  string // its sender's address
	RefusedWhy   string // "missing", "wrong", "too_old", "retired"
	RefusedCount int64
}

const connectorColumns = `id, name, title, system, method, header, user_name, secret_at, mapping, write_back,
	auth IS NOT NULL AS has_auth, revision, created_at, updated_at, received_at, retired_at,
	refused_at, refused_from, refused_why, refused_count`

// Connector finds a connector, or fails with connector_not_found.
func (r Reader) Connector(ctx context.Context, id ConnectorID) (Connector, error) {
	return one[Connector](ctx, r.db, "connector", id,
		`SELECT `+connectorColumns+` FROM connectors WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// ConnectorByName finds a connector by its name, whatever its case.
func (r Reader) ConnectorByName(ctx context.Context, name string) (Connector, error) {
	return one[Connector](ctx, r.db, "connector", name,
		`SELECT `+connectorColumns+` FROM connectors WHERE lower(name) = lower(@name)`, pgx.NamedArgs{"name": cleanText(name)})
}

// Connectors lists connectors by name.
func (r Reader) Connectors(ctx context.Context, s Shelf) ([]Connector, error) {
	return byName[Connector](ctx, r, "connectors", "connectors", connectorColumns, s.where(), s.Page)
}

// ConnectorSecret unseals what a connector's deliveries are verified by.
func (r Reader) ConnectorSecret(ctx context.Context, id ConnectorID) (string, error) {
	return r.connectorBox(ctx, id, "secret", `SELECT secret AS box, secret_key_id AS key_id FROM connectors WHERE id = @id`)
}

// ConnectorAuth unseals what write-back proves itself by; empty for nothing.
func (r Reader) ConnectorAuth(ctx context.Context, id ConnectorID) (string, error) {
	return r.connectorBox(ctx, id, "auth", `SELECT auth AS box, auth_key_id AS key_id FROM connectors WHERE id = @id`)
}

func (r Reader) connectorBox(ctx context.Context, id ConnectorID, what, sql string) (string, error) {
	type row struct {
		Box   []byte
		KeyID string
	}
	sealed, err := one[row](ctx, r.db, "connector", id, sql, pgx.NamedArgs{"id": id})
	if err != nil || sealed.Box == nil {
		return "", err
	}
	plain, err := r.keys.Open(Sealed{KeyID: sealed.KeyID, Box: sealed.Box}, connectorSeal(id, what))
	return string(plain), err
}

func connectorSeal(id ConnectorID, what string) string {
	return "connectors " + what + " " + id.String()
}

// NewConnector is what a connector is made of, or what changes of one.
type NewConnector struct {
	Name, Title, System, Method, Header, UserName string
	Mapping                                       json.RawMessage
}

// CreateConnector adds a connector. A name in use is the fault name_taken.
func (tx *Tx) CreateConnector(ctx context.Context, n NewConnector, secret string) (Connector, error) {
	id, err := newID[connectorKind](tx)
	if err != nil {
		return Connector{}, err
	}
	sealed, err := tx.store.keys.Seal([]byte(secret), connectorSeal(id, "secret"))
	if err != nil {
		return Connector{}, err
	}
	return one[Connector](ctx, tx.tx, "connector", id,
		`INSERT INTO connectors (id, name, title, system, method, header, user_name, secret, secret_key_id, secret_at, mapping, created_at, updated_at)
		VALUES (@id, @name, @title, @system, @method, @header, @user, @secret, @key, @at, @mapping, @at, @at)
		RETURNING `+connectorColumns, n.args(pgx.NamedArgs{
			"id": id, "system": n.System, "secret": sealed.Box, "key": sealed.KeyID, "mapping": n.Mapping, "at": tx.at,
		}))
}

func (n *NewConnector) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["name"], args["title"], args["method"] = n.Name, cleanText(n.Title), n.Method
	args["header"], args["user"] = n.Header, cleanText(n.UserName)
	return args
}

// UpdateConnector changes what a connector is called and how it proves itself;
// its system and its mapping stay. A stale revision is the fault stale.
func (tx *Tx) UpdateConnector(ctx context.Context, id ConnectorID, revision int64, n NewConnector) (Connector, error) {
	return changed[Connector](ctx, tx.tx, "connectors", "connector", id,
		`UPDATE connectors SET name = @name, title = @title, method = @method, header = @header, user_name = @user,
			revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+connectorColumns, n.args(pgx.NamedArgs{"id": id, "revision": revision, "at": tx.at}))
}

// SetConnectorSecret changes what deliveries are verified by.
func (tx *Tx) SetConnectorSecret(ctx context.Context, id ConnectorID, revision int64, secret string) (Connector, error) {
	sealed, err := tx.store.keys.Seal([]byte(secret), connectorSeal(id, "secret"))
	if err != nil {
		return Connector{}, err
	}
	return changed[Connector](ctx, tx.tx, "connectors", "connector", id,
		`UPDATE connectors SET secret = @secret, secret_key_id = @key, secret_at = @at,
			refused_at = NULL, refused_from = '', refused_why = '', refused_count = 0, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+connectorColumns,
		pgx.NamedArgs{"id": id, "revision": revision, "secret": sealed.Box, "key": sealed.KeyID, "at": tx.at})
}

// SetConnectorMapping changes what of a delivery is what.
func (tx *Tx) SetConnectorMapping(ctx context.Context, id ConnectorID, revision int64, mapping json.RawMessage) (Connector, error) {
	return changed[Connector](ctx, tx.tx, "connectors", "connector", id,
		`UPDATE connectors SET mapping = @mapping, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+connectorColumns, pgx.NamedArgs{"id": id, "revision": revision, "mapping": mapping, "at": tx.at})
}

// SetConnectorWriteBack changes what is written back; nil is nothing. An auth
// that is nil stays as it is, an empty one is forgotten.
func (tx *Tx) SetConnectorWriteBack(ctx context.Context, id ConnectorID, revision int64, config json.RawMessage, auth *string) (Connector, error) {
	set, args := "", pgx.NamedArgs{"id": id, "revision": revision, "config": config, "at": tx.at}
	if auth != nil {
		set = ", auth = @auth, auth_key_id = @key"
		args["auth"], args["key"] = nil, ""
		if *auth != "" {
			sealed, err := tx.store.keys.Seal([]byte(*auth), connectorSeal(id, "auth"))
			if err != nil {
				return Connector{}, err
			}
			args["auth"], args["key"] = sealed.Box, sealed.KeyID
		}
	}
	return changed[Connector](ctx, tx.tx, "connectors", "connector", id,
		`UPDATE connectors SET write_back = @config`+set+`, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+connectorColumns, args)
}

// RetireConnector takes a connector out of use, or back into it.
func (tx *Tx) RetireConnector(ctx context.Context, id ConnectorID, revision int64, retired bool) (Connector, error) {
	return retire[Connector](ctx, tx, "connectors", "connector", id, connectorColumns, revision, retired)
}

// TakeDelivery remembers a delivery by its key, and reports whether it is new.
// While another transaction takes the same, it waits for that one's end.
func (tx *Tx) TakeDelivery(ctx context.Context, id ConnectorID, key []byte) (bool, error) {
	tag, err := tx.tx.Exec(ctx,
		`INSERT INTO connector_deliveries (connector_id, key, created_at) VALUES (@id, @key, @at) ON CONFLICT DO NOTHING`,
		pgx.NamedArgs{"id": id, "key": key, "at": tx.at})
	return tag.RowsAffected() > 0, fail(err, "take a delivery")
}

// TouchConnector remembers that a delivery was believed, to the minute.
func (s *Store) TouchConnector(ctx context.Context, id ConnectorID) error {
	_, err := s.pool.Exec(ctx,
		`UPDATE connectors SET received_at = @at, refused_count = 0
		WHERE id = @id AND (received_at IS NULL OR received_at < @at OR refused_count > 0)`,
		pgx.NamedArgs{"id": id, "at": s.Now().Truncate(time.Minute)})
	return fail(err, "remember a delivery")
}

// RefuseDelivery remembers that a delivery was not believed, and why; of the zero
// ID nothing. It does not wait for the disk: who sent it is not to tell by the
// time whether there is such a connector.
func (s *Store) RefuseDelivery(ctx context.Context, id ConnectorID, address, why string) error {
	_, err := s.pool.Exec(ctx,
		`UPDATE connectors SET refused_at = @at, refused_from = @from, refused_why = @why, refused_count = refused_count + 1
		WHERE id = @id AND set_config('synchronous_commit', 'off', true) = 'off'`,
		pgx.NamedArgs{"id": id, "at": s.Now(), "from": cleanText(address), "why": why})
	return fail(err, "remember a refused delivery")
}

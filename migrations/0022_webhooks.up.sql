-- Webhooks: who is told of events, what was sent to each, and how that went.
BEGIN;

CREATE TABLE webhooks (
    id                   uuid        NOT NULL,
    url                  text        NOT NULL,
    description          text        NOT NULL,
    types                text[]      NOT NULL, -- of events; none: all
    sites                uuid[]      NOT NULL, -- none: all
    state                text        NOT NULL,
    -- who stopped it: an admin, or the console because of its receiver
    pause_cause          text        NOT NULL DEFAULT '',
    paused_at            timestamptz,
    -- of the first delivery that failed since one succeeded
    failing_since        timestamptz,
    delivered_at         timestamptz,
    sealed_secret        bytea       NOT NULL,
    secret_key_id        text        NOT NULL,
    -- the secret before, which signs, too, until a time
    sealed_old_secret    bytea,
    old_secret_key_id    text        NOT NULL DEFAULT '',
    old_secret_until     timestamptz,
    -- Only what later transactions write is sent.
    since                xid8        NOT NULL DEFAULT pg_current_xact_id(),
    revision             bigint      NOT NULL DEFAULT 1,
    created_by_kind      text        NOT NULL,
    created_by_id        uuid,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    CONSTRAINT webhooks_pkey PRIMARY KEY (id),
    CONSTRAINT webhooks_state_check CHECK (state IN ('active', 'paused')),
    CONSTRAINT webhooks_pause_cause_check CHECK ((state = 'active') = (pause_cause = '')),
    CONSTRAINT webhooks_created_by_kind_check CHECK (created_by_kind IN ('user', 'token', 'host', 'system'))
);
CREATE INDEX webhooks_active_idx ON webhooks (id) WHERE state = 'active';

-- One message is one event for one webhook, or a test (without an event).
CREATE TABLE webhook_messages (
    id            uuid        NOT NULL,
    webhook_id    uuid        NOT NULL,
    event_id      text        NOT NULL,
    type          text        NOT NULL,
    body          bytea       NOT NULL,
    state         text        NOT NULL,
    attempts      integer     NOT NULL DEFAULT 0,
    tries         integer     NOT NULL DEFAULT 0, -- attempts that the schedule made
    -- when the next attempt is due; of the attempt under way, when it is given up for lost
    next_at       timestamptz,
    claimed_until timestamptz,
    status        integer     NOT NULL DEFAULT 0, -- of the newest attempt
    fault         jsonb,                          -- of the newest attempt
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CONSTRAINT webhook_messages_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_messages_state_check CHECK (state IN ('pending', 'delivered', 'failed')),
    CONSTRAINT webhook_messages_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX webhook_messages_event_key ON webhook_messages (webhook_id, event_id) WHERE event_id <> '';
CREATE INDEX webhook_messages_webhook_idx ON webhook_messages (webhook_id, id);
CREATE INDEX webhook_messages_narrow_state_idx ON webhook_messages (webhook_id, state, id);
CREATE INDEX webhook_messages_pending_idx ON webhook_messages (next_at) WHERE state = 'pending';

-- An attempt is written down before it is made, so that one that a crash cut
-- off is known.
CREATE TABLE webhook_attempts (
    message_id uuid        NOT NULL,
    number     integer     NOT NULL,
    by_kind    text        NOT NULL, -- who asked for it: the schedule ('system') or somebody
    by_id      uuid,
    begun_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    status     integer     NOT NULL DEFAULT 0,
    answer     text        NOT NULL DEFAULT '', -- the first KiB of it
    fault      jsonb,
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (message_id, number),
    CONSTRAINT webhook_attempts_message_id_fkey FOREIGN KEY (message_id) REFERENCES webhook_messages (id) ON DELETE CASCADE
);

-- How far the feed of events was read for all webhooks. While none is active
-- nobody reads it.
CREATE TABLE webhook_reader (
    id     boolean  NOT NULL DEFAULT true,
    xact   xid8     NOT NULL,
    stream smallint NOT NULL,
    event  bigint   NOT NULL,
    CONSTRAINT webhook_reader_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_reader_id_check CHECK (id)
);
INSERT INTO webhook_reader (xact, stream, event) VALUES (pg_current_xact_id(), 0, 0);

UPDATE schema_migrations SET dirty = false;
COMMIT;

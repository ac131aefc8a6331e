-- Ticket systems that ask for sticks, what they asked for, and what was written
-- back to their tickets.
BEGIN;

CREATE TABLE connectors (
    id            uuid        NOT NULL,
    name          text        NOT NULL, -- in the address of its hook
    title         text        NOT NULL,
    system        text        NOT NULL,
    method        text        NOT NULL, -- how a delivery proves where it comes from
    header        text        NOT NULL DEFAULT '',
    user_name     text        NOT NULL DEFAULT '',
    secret        bytea       NOT NULL, -- sealed
    secret_key_id text        NOT NULL,
    secret_at     timestamptz NOT NULL,
    mapping       jsonb       NOT NULL,
    write_back    jsonb,                -- NULL: nothing is written back
    auth          bytea,                -- sealed: what write-back proves itself by
    auth_key_id   text        NOT NULL DEFAULT '',
    revision      bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    received_at   timestamptz,          -- when a delivery was believed last
    retired_at    timestamptz,          -- takes nothing any more
    CONSTRAINT connectors_pkey PRIMARY KEY (id),
    CONSTRAINT connectors_name_check CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    CONSTRAINT connectors_title_check CHECK (title <> ''),
    CONSTRAINT connectors_system_check CHECK (system IN ('servicenow', 'jira', 'zammad', 'glpi', 'freshservice', 'generic')),
    CONSTRAINT connectors_method_check CHECK (method IN ('basic', 'header', 'hub_sha256', 'hub_sha1', 'glpi'))
);
CREATE UNIQUE INDEX connectors_name_key ON connectors (lower(name));

-- The last deliveries of each, for looking into and for trying a mapping.
CREATE TABLE connector_payloads (
    id           uuid        NOT NULL,
    connector_id uuid        NOT NULL,
    headers      jsonb       NOT NULL, -- secrets masked
    document     text        NOT NULL, -- JSON, whatever it came as
    cut          boolean     NOT NULL,
    outcome      text        NOT NULL,
    fault        jsonb,
    ticket       text        NOT NULL DEFAULT '',
    request_id   text        NOT NULL,
    address      text        NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT connector_payloads_pkey PRIMARY KEY (id),
    CONSTRAINT connector_payloads_connector_id_fkey FOREIGN KEY (connector_id) REFERENCES connectors (id)
);
CREATE INDEX connector_payloads_connector_id_idx ON connector_payloads (connector_id, id);

-- Deliveries that were taken, so that none is taken twice.
CREATE TABLE connector_deliveries (
    connector_id uuid        NOT NULL,
    key          bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT connector_deliveries_pkey PRIMARY KEY (connector_id, key),
    CONSTRAINT connector_deliveries_key_check CHECK (octet_length(key) = 32),
    CONSTRAINT connector_deliveries_connector_id_fkey FOREIGN KEY (connector_id) REFERENCES connectors (id)
);
CREATE INDEX connector_deliveries_created_at_idx ON connector_deliveries (created_at);

-- What a ticket wants: one for each ticket, until somebody chooses the sticks.
CREATE TABLE stick_requests (
    id              uuid        NOT NULL,
    connector_id    uuid        NOT NULL,
    site_id         uuid        NOT NULL,
    ticket          text        NOT NULL,
    ticket_key      text        NOT NULL,
    ticket_url      text        NOT NULL,
    state           text        NOT NULL,
    holder          text        NOT NULL,
    computer_name   text        NOT NULL,
    image           text        NOT NULL,
    channel         text        NOT NULL,
    task_sequence   text        NOT NULL,
    layout          text        NOT NULL,
    host            text        NOT NULL,
    site            text        NOT NULL, -- as the ticket says
    sticks          integer     NOT NULL,
    note            text        NOT NULL,
    reason          text        NOT NULL DEFAULT '',
    job_id          uuid,                 -- of the newest job for it
    running_at      timestamptz,          -- of that job
    decided_by_kind text        NOT NULL DEFAULT '',
    decided_by_id   uuid,
    decided_at      timestamptz,
    revision        bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CONSTRAINT stick_requests_pkey PRIMARY KEY (id),
    CONSTRAINT stick_requests_ticket_check CHECK (ticket <> ''),
    CONSTRAINT stick_requests_sticks_check CHECK (sticks BETWEEN 1 AND 32),
    CONSTRAINT stick_requests_state_check CHECK (state IN ('open', 'queued', 'done', 'failed', 'declined', 'withdrawn')),
    CONSTRAINT stick_requests_job_check CHECK (state NOT IN ('queued', 'done', 'failed') OR job_id IS NOT NULL),
    CONSTRAINT stick_requests_connector_id_fkey FOREIGN KEY (connector_id) REFERENCES connectors (id),
    CONSTRAINT stick_requests_site_id_fkey FOREIGN KEY (site_id) REFERENCES sites (id),
    CONSTRAINT stick_requests_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs (id)
);
CREATE UNIQUE INDEX stick_requests_ticket_key ON stick_requests (connector_id, ticket);
CREATE INDEX stick_requests_state_idx ON stick_requests (state, id);
CREATE INDEX stick_requests_site_id_idx ON stick_requests (site_id, id);
CREATE INDEX stick_requests_open_idx ON stick_requests (site_id) WHERE state = 'open';
CREATE INDEX stick_requests_followed_idx ON stick_requests (job_id) WHERE state IN ('queued', 'failed');

-- Which sticks are for which request.
CREATE TABLE stick_request_builds (
    stick_request_id uuid NOT NULL,
    build_id         uuid NOT NULL,
    CONSTRAINT stick_request_builds_pkey PRIMARY KEY (stick_request_id, build_id),
    CONSTRAINT stick_request_builds_stick_request_id_fkey FOREIGN KEY (stick_request_id) REFERENCES stick_requests (id),
    CONSTRAINT stick_request_builds_build_id_fkey FOREIGN KEY (build_id) REFERENCES builds (id)
);
CREATE INDEX stick_request_builds_build_id_idx ON stick_request_builds (build_id);

-- What is told to tickets, and each attempt to tell it.
CREATE TABLE write_backs (
    id               uuid        NOT NULL,
    connector_id     uuid        NOT NULL,
    stick_request_id uuid        NOT NULL,
    event            text        NOT NULL,
    data             jsonb       NOT NULL,
    state            text        NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT write_backs_pkey PRIMARY KEY (id),
    CONSTRAINT write_backs_event_check CHECK (event IN ('queued', 'running', 'verified', 'failed', 'declined')),
    CONSTRAINT write_backs_state_check CHECK (state IN ('waiting', 'sent', 'skipped', 'failed')),
    CONSTRAINT write_backs_connector_id_fkey FOREIGN KEY (connector_id) REFERENCES connectors (id),
    CONSTRAINT write_backs_stick_request_id_fkey FOREIGN KEY (stick_request_id) REFERENCES stick_requests (id)
);
CREATE INDEX write_backs_connector_id_idx ON write_backs (connector_id, id);
CREATE INDEX write_backs_stick_request_id_idx ON write_backs (stick_request_id, id);

CREATE TABLE write_back_attempts (
    write_back_id uuid        NOT NULL,
    number        integer     NOT NULL,
    at            timestamptz NOT NULL,
    took_ms       bigint      NOT NULL,
    status        integer     NOT NULL, -- 0: there was no answer
    fault         jsonb,
    answer        text        NOT NULL,
    CONSTRAINT write_back_attempts_pkey PRIMARY KEY (write_back_id, number),
    CONSTRAINT write_back_attempts_write_back_id_fkey FOREIGN KEY (write_back_id) REFERENCES write_backs (id) ON DELETE CASCADE
);

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- What other programs need: requests that may be repeated, external references
-- that one job has at a time, and tokens that may do less than their owner.
BEGIN;

-- A request that came with an Idempotency-Key: under way while its holder keeps
-- it (held_until), done when its change was committed, answered when its reply
-- is known.
CREATE TABLE idempotent_requests (
    principal   text        NOT NULL, -- whose key it is
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    holder      uuid        NOT NULL, -- the run of it that may change something
    held_until  timestamptz NOT NULL, -- by the clock of the database
    done_at     timestamptz,
    objects     text[]      NOT NULL DEFAULT '{}', -- what was changed, first to last
    status      integer     NOT NULL DEFAULT 0, -- 0: not answered
    header      jsonb       NOT NULL DEFAULT '{}',
    body        bytea       NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT idempotent_requests_pkey PRIMARY KEY (principal, key)
);
CREATE INDEX idempotent_requests_expires_at_idx ON idempotent_requests (expires_at);

-- In which system a reference means something. What was queued before knows of
-- none, and holds its reference against nobody.
CREATE EXTENSION IF NOT EXISTS btree_gist;
ALTER TABLE jobs ADD COLUMN reference_system text NOT NULL DEFAULT '';
ALTER TABLE builds ADD COLUMN reference_system text NOT NULL DEFAULT '';
-- Builds that are not over have one job for each reference.
ALTER TABLE builds ADD CONSTRAINT builds_reference_open_excl
    EXCLUDE USING gist (reference_system WITH =, reference WITH =, job_id WITH <>)
    WHERE (state IN ('queued', 'assigned', 'running') AND reference <> '' AND reference_system <> '');

-- Empty: whatever the role allows.
ALTER TABLE api_tokens ADD COLUMN scopes text[] NOT NULL DEFAULT '{}';

-- A program that does not know scopes would let tokens do more than they may.
UPDATE schema_requirement SET min_app = greatest(min_app, 5);
UPDATE schema_migrations SET dirty = false;
COMMIT;

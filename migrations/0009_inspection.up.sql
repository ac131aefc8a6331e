-- Work that outlives the request that asked for it, and the first of its kind:
-- looking into uploads that must be decoded to be judged.
BEGIN;

-- River's tables as its own migrations leave them at version 8; a test compares
-- the two. Without river_migration, which only those migrations read.
CREATE SCHEMA river;

CREATE TYPE river.river_job_state AS ENUM (
    'available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled');

CREATE FUNCTION river.river_job_state_in_bitmask(bitmask BIT(8), state river.river_job_state)
RETURNS boolean
LANGUAGE SQL
IMMUTABLE
AS $$
    SELECT CASE state
        WHEN 'available' THEN get_bit(bitmask, 7)
        WHEN 'cancelled' THEN get_bit(bitmask, 6)
        WHEN 'completed' THEN get_bit(bitmask, 5)
        WHEN 'discarded' THEN get_bit(bitmask, 4)
        WHEN 'pending'   THEN get_bit(bitmask, 3)
        WHEN 'retryable' THEN get_bit(bitmask, 2)
        WHEN 'running'   THEN get_bit(bitmask, 1)
        WHEN 'scheduled' THEN get_bit(bitmask, 0)
        ELSE 0
    END = 1;
$$;

CREATE TABLE river.river_job (
    id            bigserial               PRIMARY KEY,
    state         river.river_job_state   NOT NULL DEFAULT 'available',
    attempt       smallint                NOT NULL DEFAULT 0,
    max_attempts  smallint                NOT NULL DEFAULT 25,
    attempted_at  timestamptz,
    created_at    timestamptz             NOT NULL DEFAULT now(),
    finalized_at  timestamptz,
    scheduled_at  timestamptz             NOT NULL DEFAULT now(),
    priority      smallint                NOT NULL DEFAULT 1,
    args          jsonb                   NOT NULL,
    attempted_by  text[],
    errors        jsonb[],
    kind          text                    NOT NULL,
    metadata      jsonb                   NOT NULL DEFAULT '{}',
    queue         text                    NOT NULL DEFAULT 'default',
    tags          varchar(255)[]          NOT NULL DEFAULT '{}',
    unique_key    bytea,
    unique_states BIT(8),
    CONSTRAINT finalized_or_finalized_at_null CHECK (
        (finalized_at IS NULL AND state NOT IN ('cancelled', 'completed', 'discarded')) OR
        (finalized_at IS NOT NULL AND state IN ('cancelled', 'completed', 'discarded'))),
    CONSTRAINT max_attempts_is_positive CHECK (max_attempts > 0),
    CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 4),
    CONSTRAINT queue_length CHECK (char_length(queue) > 0 AND char_length(queue) < 128),
    CONSTRAINT kind_length CHECK (char_length(kind) > 0 AND char_length(kind) < 128)
);
CREATE INDEX river_job_kind ON river.river_job (kind);
CREATE INDEX river_job_state_and_finalized_at_index ON river.river_job (state, finalized_at) WHERE finalized_at IS NOT NULL;
CREATE INDEX river_job_prioritized_fetching_index ON river.river_job (state, queue, priority, scheduled_at, id);
CREATE INDEX river_job_args_index ON river.river_job USING gin (args);
CREATE INDEX river_job_metadata_index ON river.river_job USING gin (metadata);
CREATE UNIQUE INDEX river_job_unique_idx ON river.river_job (unique_key)
    WHERE unique_key IS NOT NULL AND unique_states IS NOT NULL AND river.river_job_state_in_bitmask(unique_states, state);

CREATE UNLOGGED TABLE river.river_leader (
    elected_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    leader_id  text        NOT NULL,
    name       text        PRIMARY KEY DEFAULT 'default',
    CONSTRAINT name_length CHECK (name = 'default'),
    CONSTRAINT leader_id_length CHECK (char_length(leader_id) > 0 AND char_length(leader_id) < 128)
);

CREATE TABLE river.river_queue (
    name       text        PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    metadata   jsonb       NOT NULL DEFAULT '{}',
    paused_at  timestamptz,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE river.river_notification (
    id         bigserial   PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    payload    text        NOT NULL,
    topic      text        NOT NULL,
    CONSTRAINT topic_length CHECK (length(topic) > 0 AND length(topic) < 128)
);
CREATE INDEX river_notification_created_at_idx ON river.river_notification (created_at);
CREATE INDEX river_notification_topic_id_idx ON river.river_notification (topic, id);

CREATE TABLE inspections (
    upload_id       text        NOT NULL,
    state           text        NOT NULL,
    file_name       text        NOT NULL,
    bytes           bigint      NOT NULL,
    done_bytes      bigint      NOT NULL DEFAULT 0,
    record          jsonb,      -- what the file's bytes hash to, once it was found good
    content         jsonb,      -- and what is in it
    fault           jsonb,      -- why it was refused, or was not published
    publication     jsonb,      -- what it is to be published as
    version_id      uuid,       -- what it was published as
    created_at      timestamptz NOT NULL,
    created_by_kind text        NOT NULL,
    created_by_id   uuid,
    updated_at      timestamptz NOT NULL,
    CONSTRAINT inspections_pkey PRIMARY KEY (upload_id),
    CONSTRAINT inspections_state_check CHECK (state IN ('inspecting', 'ready', 'published', 'refused')),
    CONSTRAINT inspections_bytes_check CHECK (bytes > 0 AND done_bytes BETWEEN 0 AND bytes),
    CONSTRAINT inspections_content_check CHECK (state NOT IN ('ready', 'published') OR content IS NOT NULL AND record IS NOT NULL),
    CONSTRAINT inspections_fault_check CHECK (state <> 'refused' OR fault IS NOT NULL),
    CONSTRAINT inspections_version_id_check CHECK ((state = 'published') = (version_id IS NOT NULL)),
    CONSTRAINT inspections_version_id_fkey FOREIGN KEY (version_id) REFERENCES image_versions (id)
);

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- The first schema. Keys are UUIDv7 made by the program; times are timestamptz;
-- changeable rows carry a revision; every constraint has a name, because
-- the program tells violations apart by name.
BEGIN;

-- The oldest program (store.AppLevel) that may run on this schema.
CREATE TABLE schema_requirement (
    only_row boolean NOT NULL DEFAULT true,
    min_app  integer NOT NULL,
    CONSTRAINT schema_requirement_pkey PRIMARY KEY (only_row),
    CONSTRAINT schema_requirement_only_row_check CHECK (only_row)
);
INSERT INTO schema_requirement (min_app) VALUES (1);

-- History and versions refuse changes; the constraint named in the error is
-- the table's name with _append_only.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$;

-- People, places, rights ----------------------------------------------------

CREATE TABLE sites (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    is_default boolean     NOT NULL DEFAULT false,
    revision   bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT sites_pkey PRIMARY KEY (id),
    CONSTRAINT sites_name_check CHECK (name <> '')
);
CREATE UNIQUE INDEX sites_name_key ON sites (lower(name));
CREATE UNIQUE INDEX sites_default_key ON sites (is_default) WHERE is_default;
INSERT INTO sites (id, name, is_default, created_at, updated_at)
VALUES ('01900000-0000-7000-8000-000000000001', 'Default', true, now(), now());

CREATE TABLE users (
    id            uuid        NOT NULL,
    login         text        NOT NULL,
    name          text        NOT NULL,
    role          text        NOT NULL,
    password_hash text        NOT NULL,
    locale        text        NOT NULL,
    disabled_at   timestamptz,
    revision      bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_login_check CHECK (login <> ''),
    CONSTRAINT users_role_check CHECK (role IN ('viewer', 'helpdesk', 'admin'))
);
CREATE UNIQUE INDEX users_login_key ON users (lower(login));

-- The table of scs/pgxstore.
CREATE TABLE sessions (
    token  text        NOT NULL,
    data   bytea       NOT NULL,
    expiry timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (token)
);
CREATE INDEX sessions_expiry_idx ON sessions (expiry);

CREATE TABLE one_time_tokens (
    hash            bytea       NOT NULL,
    purpose         text        NOT NULL,
    user_id         uuid,
    site_id         uuid,
    created_by_kind text        NOT NULL,
    created_by_id   uuid,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    CONSTRAINT one_time_tokens_pkey PRIMARY KEY (hash),
    CONSTRAINT one_time_tokens_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT one_time_tokens_purpose_check CHECK (purpose IN ('setup', 'sign_in', 'enroll')),
    CONSTRAINT one_time_tokens_target_check CHECK (
        (purpose <> 'sign_in' OR user_id IS NOT NULL) AND (purpose <> 'enroll' OR site_id IS NOT NULL)),
    CONSTRAINT one_time_tokens_created_by_kind_check CHECK (created_by_kind IN ('user', 'token', 'host', 'system')),
    CONSTRAINT one_time_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT one_time_tokens_site_id_fkey FOREIGN KEY (site_id) REFERENCES sites (id) ON DELETE CASCADE
);
CREATE INDEX one_time_tokens_expires_at_idx ON one_time_tokens (expires_at);

CREATE TABLE api_tokens (
    id           uuid        NOT NULL,
    hash         bytea       NOT NULL,
    name         text        NOT NULL,
    user_id      uuid        NOT NULL,
    role         text        NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    revision     bigint      NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    CONSTRAINT api_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT api_tokens_hash_key UNIQUE (hash),
    CONSTRAINT api_tokens_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT api_tokens_name_check CHECK (name <> ''),
    CONSTRAINT api_tokens_role_check CHECK (role IN ('viewer', 'helpdesk', 'admin')),
    CONSTRAINT api_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX api_tokens_user_id_idx ON api_tokens (user_id);

CREATE TABLE audit (
    id          uuid        NOT NULL,
    actor_kind  text        NOT NULL,
    actor_id    uuid,
    request_id  text        NOT NULL,
    address     text        NOT NULL,
    action      text        NOT NULL,
    object_kind text        NOT NULL,
    object_id   text        NOT NULL,
    before      jsonb,
    after       jsonb,
    at          timestamptz NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id),
    -- anonymous: a sign-in that failed
    CONSTRAINT audit_actor_kind_check CHECK (actor_kind IN ('user', 'token', 'host', 'system', 'anonymous'))
);
CREATE INDEX audit_object_idx ON audit (object_kind, object_id, id);
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE idempotency_keys (
    scope       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    status      integer     NOT NULL DEFAULT 0,
    location    text        NOT NULL DEFAULT '',
    body        bytea       NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at);

CREATE TABLE server_keys (
    id             uuid        NOT NULL,
    public_key     bytea       NOT NULL,
    sealed_private bytea       NOT NULL,
    seal_key_id    text        NOT NULL,
    created_at     timestamptz NOT NULL,
    retired_at     timestamptz,
    CONSTRAINT server_keys_pkey PRIMARY KEY (id),
    CONSTRAINT server_keys_public_key_check CHECK (octet_length(public_key) = 32)
);
-- Two replicas that start together agree on one identity.
CREATE UNIQUE INDEX server_keys_current_key ON server_keys ((true)) WHERE retired_at IS NULL;

-- What sticks are made from --------------------------------------------------

CREATE TABLE blobs (
    sha256     text        NOT NULL,
    bytes      bigint      NOT NULL,
    blocks     bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT blobs_pkey PRIMARY KEY (sha256),
    CONSTRAINT blobs_sha256_check CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT blobs_bytes_check CHECK (bytes >= 0),
    -- one SHA-256 for every 4 MiB, the last block shorter
    CONSTRAINT blobs_blocks_check CHECK (octet_length(blocks) = 32 * ((bytes + 4194303) / 4194304))
);

CREATE TABLE images (
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    title       text        NOT NULL,
    description text        NOT NULL,
    revision    bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT images_pkey PRIMARY KEY (id),
    CONSTRAINT images_name_key UNIQUE (name),
    CONSTRAINT images_name_check CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$')
);

CREATE TABLE image_versions (
    id              uuid        NOT NULL,
    image_id        uuid        NOT NULL,
    version         text        NOT NULL,
    source_commit   text        NOT NULL,
    sha256          text        NOT NULL,
    bytes           bigint      NOT NULL,
    format          text        NOT NULL,
    file_name       text        NOT NULL,
    editions        jsonb       NOT NULL,
    notes           text        NOT NULL,
    state           text        NOT NULL,
    revision        bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    created_by_kind text        NOT NULL,
    created_by_id   uuid,
    updated_at      timestamptz NOT NULL,
    CONSTRAINT image_versions_pkey PRIMARY KEY (id),
    CONSTRAINT image_versions_version_key UNIQUE (image_id, version),
    CONSTRAINT image_versions_image_id_id_key UNIQUE (image_id, id),
    CONSTRAINT image_versions_format_check CHECK (format IN ('wim', 'esd', 'swm', 'vhd', 'vhdx', 'iso', 'raw')),
    CONSTRAINT image_versions_state_check CHECK (state IN ('published', 'superseded', 'withdrawn')),
    CONSTRAINT image_versions_created_by_kind_check CHECK (created_by_kind IN ('user', 'token', 'host', 'system')),
    CONSTRAINT image_versions_image_id_fkey FOREIGN KEY (image_id) REFERENCES images (id),
    CONSTRAINT image_versions_sha256_fkey FOREIGN KEY (sha256) REFERENCES blobs (sha256)
);
CREATE INDEX image_versions_sha256_idx ON image_versions (sha256);
CREATE TRIGGER image_versions_append_only BEFORE UPDATE ON image_versions FOR EACH ROW
    WHEN ((OLD.id, OLD.image_id, OLD.version, OLD.source_commit, OLD.sha256, OLD.bytes, OLD.format, OLD.file_name,
           OLD.editions, OLD.created_at, OLD.created_by_kind, OLD.created_by_id)
       IS DISTINCT FROM
          (NEW.id, NEW.image_id, NEW.version, NEW.source_commit, NEW.sha256, NEW.bytes, NEW.format, NEW.file_name,
           NEW.editions, NEW.created_at, NEW.created_by_kind, NEW.created_by_id))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER image_versions_no_delete BEFORE DELETE OR TRUNCATE ON image_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE channels (
    id               uuid        NOT NULL,
    image_id         uuid        NOT NULL,
    name             text        NOT NULL,
    image_version_id uuid        NOT NULL,
    revision         bigint      NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT channels_pkey PRIMARY KEY (id),
    CONSTRAINT channels_name_key UNIQUE (image_id, name),
    CONSTRAINT channels_name_check CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    CONSTRAINT channels_image_id_fkey FOREIGN KEY (image_id) REFERENCES images (id),
    -- a channel of one image cannot point at a version of another
    CONSTRAINT channels_image_version_id_fkey FOREIGN KEY (image_id, image_version_id)
        REFERENCES image_versions (image_id, id)
);

CREATE TABLE unattend_templates (
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    description text        NOT NULL,
    revision    bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT unattend_templates_pkey PRIMARY KEY (id),
    CONSTRAINT unattend_templates_name_check CHECK (name <> '')
);
CREATE UNIQUE INDEX unattend_templates_name_key ON unattend_templates (lower(name));

-- The XML may hold passwords: the body is sealed under the master key.
CREATE TABLE unattend_template_versions (
    id              uuid        NOT NULL,
    template_id     uuid        NOT NULL,
    number          integer     NOT NULL,
    body            bytea       NOT NULL,
    body_key_id     text        NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by_kind text        NOT NULL,
    created_by_id   uuid,
    CONSTRAINT unattend_template_versions_pkey PRIMARY KEY (id),
    CONSTRAINT unattend_template_versions_number_key UNIQUE (template_id, number),
    CONSTRAINT unattend_template_versions_number_check CHECK (number >= 1),
    CONSTRAINT unattend_template_versions_created_by_kind_check
        CHECK (created_by_kind IN ('user', 'token', 'host', 'system')),
    CONSTRAINT unattend_template_versions_template_id_fkey
        FOREIGN KEY (template_id) REFERENCES unattend_templates (id)
);
-- Only the seal may change, when keys rotate.
CREATE TRIGGER unattend_template_versions_append_only BEFORE UPDATE ON unattend_template_versions FOR EACH ROW
    WHEN ((OLD.id, OLD.template_id, OLD.number, OLD.created_at, OLD.created_by_kind, OLD.created_by_id)
       IS DISTINCT FROM
          (NEW.id, NEW.template_id, NEW.number, NEW.created_at, NEW.created_by_kind, NEW.created_by_id))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER unattend_template_versions_no_delete BEFORE DELETE OR TRUNCATE ON unattend_template_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE task_sequences (
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    description text        NOT NULL,
    revision    bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT task_sequences_pkey PRIMARY KEY (id),
    CONSTRAINT task_sequences_name_check CHECK (name <> '')
);
CREATE UNIQUE INDEX task_sequences_name_key ON task_sequences (lower(name));

CREATE TABLE task_sequence_versions (
    id                        uuid        NOT NULL,
    task_sequence_id          uuid        NOT NULL,
    number                    integer     NOT NULL,
    layout                    text        NOT NULL,
    edition                   integer     NOT NULL,
    template_version_id       uuid,
    boot_signature            text        NOT NULL,
    portable_operating_system boolean     NOT NULL,
    created_at                timestamptz NOT NULL,
    created_by_kind           text        NOT NULL,
    created_by_id             uuid,
    CONSTRAINT task_sequence_versions_pkey PRIMARY KEY (id),
    CONSTRAINT task_sequence_versions_number_key UNIQUE (task_sequence_id, number),
    CONSTRAINT task_sequence_versions_number_check CHECK (number >= 1),
    CONSTRAINT task_sequence_versions_layout_check CHECK (layout IN ('mbr-dual', 'gpt-uefi')),
    CONSTRAINT task_sequence_versions_edition_check CHECK (edition >= 1),
    CONSTRAINT task_sequence_versions_boot_signature_check CHECK (boot_signature IN ('2011', '2023')),
    CONSTRAINT task_sequence_versions_created_by_kind_check
        CHECK (created_by_kind IN ('user', 'token', 'host', 'system')),
    CONSTRAINT task_sequence_versions_task_sequence_id_fkey
        FOREIGN KEY (task_sequence_id) REFERENCES task_sequences (id),
    CONSTRAINT task_sequence_versions_template_version_id_fkey
        FOREIGN KEY (template_version_id) REFERENCES unattend_template_versions (id)
);
CREATE TRIGGER task_sequence_versions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON task_sequence_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Hosts and sticks -----------------------------------------------------------

CREATE TABLE hosts (
    id              uuid        NOT NULL,
    site_id         uuid        NOT NULL,
    name            text        NOT NULL,
    public_key      bytea       NOT NULL,
    state           text        NOT NULL,
    -- The number of the newest socket; older ones claim and report nothing.
    session         bigint      NOT NULL DEFAULT 0,
    replica         text        NOT NULL DEFAULT '',
    connected_at    timestamptz,
    disconnected_at timestamptz,
    last_seen_at    timestamptz,
    agent_version   text        NOT NULL DEFAULT '',
    os              text        NOT NULL DEFAULT '',
    arch            text        NOT NULL DEFAULT '',
    hostname        text        NOT NULL DEFAULT '',
    protocol_min    integer     NOT NULL DEFAULT 0,
    protocol_max    integer     NOT NULL DEFAULT 0,
    capabilities    text[]      NOT NULL DEFAULT '{}',
    inventory       jsonb       NOT NULL DEFAULT '{"devices": []}',
    inventory_at    timestamptz,
    cache_bytes     bigint      NOT NULL DEFAULT 0,
    cache_limit     bigint      NOT NULL DEFAULT 0,
    revision        bigint      NOT NULL DEFAULT 1,
    enrolled_at     timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    CONSTRAINT hosts_pkey PRIMARY KEY (id),
    CONSTRAINT hosts_name_check CHECK (name <> ''),
    CONSTRAINT hosts_public_key_key UNIQUE (public_key),
    CONSTRAINT hosts_public_key_check CHECK (octet_length(public_key) = 32),
    CONSTRAINT hosts_state_check CHECK (state IN ('enrolled', 'revoked')),
    CONSTRAINT hosts_site_id_fkey FOREIGN KEY (site_id) REFERENCES sites (id)
);
-- A revoked host's name is free again.
CREATE UNIQUE INDEX hosts_name_key ON hosts (lower(name)) WHERE state = 'enrolled';
CREATE INDEX hosts_site_id_idx ON hosts (site_id);

-- Where the running attempts are now: worth nothing after a crash.
CREATE UNLOGGED TABLE host_progress (
    host_id  uuid        NOT NULL,
    session  bigint      NOT NULL,
    attempts jsonb       NOT NULL,
    at       timestamptz NOT NULL,
    CONSTRAINT host_progress_pkey PRIMARY KEY (host_id),
    CONSTRAINT host_progress_host_id_fkey FOREIGN KEY (host_id) REFERENCES hosts (id) ON DELETE CASCADE
);

-- A projection of stick_events.
CREATE TABLE sticks (
    id               uuid        NOT NULL,
    state            text        NOT NULL,
    kind             text        NOT NULL,
    serial           text        NOT NULL,
    vid_pid          text        NOT NULL,
    vendor           text        NOT NULL,
    model            text        NOT NULL,
    bytes            bigint      NOT NULL,
    host_id          uuid        NOT NULL,
    port             text        NOT NULL,
    lun              integer     NOT NULL,
    image_version_id uuid,
    layout           text        NOT NULL,
    disk_id          text        NOT NULL,
    last_build_id    uuid,
    fault            jsonb,
    verified_at      timestamptz,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    seq              bigint      NOT NULL,
    revision         bigint      GENERATED ALWAYS AS (seq) STORED,
    CONSTRAINT sticks_pkey PRIMARY KEY (id),
    CONSTRAINT sticks_state_check CHECK (state IN ('unknown', 'pressing', 'verified', 'incomplete')),
    CONSTRAINT sticks_host_id_fkey FOREIGN KEY (host_id) REFERENCES hosts (id),
    CONSTRAINT sticks_image_version_id_fkey FOREIGN KEY (image_version_id) REFERENCES image_versions (id)
);
CREATE INDEX sticks_serial_idx ON sticks (serial, vid_pid);
CREATE INDEX sticks_host_id_idx ON sticks (host_id, port, lun);
CREATE INDEX sticks_image_version_id_idx ON sticks (image_version_id);

-- Work -------------------------------------------------------------------------

-- A projection of job_events.
CREATE TABLE jobs (
    id                       uuid        NOT NULL,
    site_id                  uuid        NOT NULL,
    host_id                  uuid        NOT NULL,
    kind                     text        NOT NULL,
    state                    text        NOT NULL,
    image_version_id         uuid        NOT NULL,
    channel                  text        NOT NULL,
    task_sequence_version_id uuid        NOT NULL,
    -- the task sequence's, or what the request put in their place
    layout                   text        NOT NULL,
    edition                  integer     NOT NULL,
    reference                text        NOT NULL,
    holder                   text        NOT NULL,
    variables                jsonb       NOT NULL,
    created_by_kind          text        NOT NULL,
    created_by_id            uuid,
    created_at               timestamptz NOT NULL,
    cancel_requested_at      timestamptz,
    started_at               timestamptz,
    ended_at                 timestamptz,
    seq                      bigint      NOT NULL,
    revision                 bigint      GENERATED ALWAYS AS (seq) STORED,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_kind_check CHECK (kind IN ('press')),
    CONSTRAINT jobs_layout_check CHECK (layout IN ('mbr-dual', 'gpt-uefi')),
    CONSTRAINT jobs_edition_check CHECK (edition >= 1),
    CONSTRAINT jobs_state_check
        CHECK (state IN ('queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT jobs_created_by_kind_check CHECK (created_by_kind IN ('user', 'token', 'host', 'system')),
    CONSTRAINT jobs_site_id_fkey FOREIGN KEY (site_id) REFERENCES sites (id),
    CONSTRAINT jobs_host_id_fkey FOREIGN KEY (host_id) REFERENCES hosts (id),
    CONSTRAINT jobs_image_version_id_fkey FOREIGN KEY (image_version_id) REFERENCES image_versions (id),
    CONSTRAINT jobs_task_sequence_version_id_fkey
        FOREIGN KEY (task_sequence_version_id) REFERENCES task_sequence_versions (id)
);
CREATE INDEX jobs_host_id_idx ON jobs (host_id, id);
CREATE INDEX jobs_state_idx ON jobs (state, id);
CREATE INDEX jobs_live_idx ON jobs (host_id, id) WHERE state IN ('queued', 'running', 'cancelling');
CREATE INDEX jobs_reference_idx ON jobs (reference) WHERE reference <> '';
CREATE INDEX jobs_image_version_id_idx ON jobs (image_version_id);

-- A projection of job_events.
CREATE TABLE builds (
    id          uuid        NOT NULL,
    job_id      uuid        NOT NULL,
    host_id     uuid        NOT NULL,
    position    integer     NOT NULL,
    state       text        NOT NULL,
    -- The newest attempt, counted from 1 when it is assigned; 0 before.
    attempt     integer     NOT NULL,
    stick_id    uuid        NOT NULL,
    device      jsonb       NOT NULL,
    reference   text        NOT NULL,
    holder      text        NOT NULL,
    variables   jsonb       NOT NULL,
    step        text        NOT NULL,
    touched     boolean     NOT NULL,
    fault       jsonb,
    result      jsonb,
    assigned_at timestamptz,
    started_at  timestamptz,
    ended_at    timestamptz,
    -- jobs.seq of the last event that changed this row
    revision    bigint      NOT NULL,
    CONSTRAINT builds_pkey PRIMARY KEY (id),
    CONSTRAINT builds_position_key UNIQUE (job_id, position),
    CONSTRAINT builds_state_check
        CHECK (state IN ('queued', 'assigned', 'running', 'verified', 'failed', 'cancelled')),
    CONSTRAINT builds_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs (id),
    CONSTRAINT builds_host_id_fkey FOREIGN KEY (host_id) REFERENCES hosts (id),
    CONSTRAINT builds_stick_id_fkey FOREIGN KEY (stick_id) REFERENCES sticks (id)
);
-- A stick has at most one build that is not over.
CREATE UNIQUE INDEX builds_device_busy_key ON builds (host_id, (device ->> 'port'), (device ->> 'lun'))
    WHERE state IN ('queued', 'assigned', 'running');
CREATE UNIQUE INDEX builds_stick_busy_key ON builds (stick_id) WHERE state IN ('queued', 'assigned', 'running');
CREATE INDEX builds_live_idx ON builds (host_id, job_id) WHERE state IN ('queued', 'assigned', 'running');
CREATE INDEX builds_stick_id_idx ON builds (stick_id, id);
CREATE INDEX builds_state_idx ON builds (state, id);

-- The lease of one attempt, held by its host, and how far it has reported.
CREATE TABLE build_attempts (
    build_id uuid        NOT NULL,
    attempt  integer     NOT NULL,
    host_id  uuid        NOT NULL,
    state    text        NOT NULL,
    host_seq bigint      NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT build_attempts_pkey PRIMARY KEY (build_id, attempt),
    CONSTRAINT build_attempts_attempt_check CHECK (attempt >= 1),
    -- leased: the host may be writing; ended: it said that it is not; lost: an
    -- admin declared so; returned: it was never sent
    CONSTRAINT build_attempts_state_check CHECK (state IN ('leased', 'ended', 'lost', 'returned')),
    CONSTRAINT build_attempts_build_id_fkey FOREIGN KEY (build_id) REFERENCES builds (id),
    CONSTRAINT build_attempts_host_id_fkey FOREIGN KEY (host_id) REFERENCES hosts (id)
);
CREATE UNIQUE INDEX build_attempts_leased_key ON build_attempts (build_id) WHERE state = 'leased';
CREATE INDEX build_attempts_host_id_idx ON build_attempts (host_id) WHERE state = 'leased';

-- History ------------------------------------------------------------------------

CREATE TABLE job_events (
    id              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    job_id          uuid        NOT NULL,
    seq             bigint      NOT NULL,
    build_id        uuid,
    attempt         integer,
    host_seq        bigint,
    type            text        NOT NULL,
    payload_version integer     NOT NULL,
    payload         jsonb       NOT NULL,
    actor_kind      text        NOT NULL,
    actor_id        uuid,
    at              timestamptz NOT NULL,
    host_at         timestamptz,
    xact            xid8        NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT job_events_pkey PRIMARY KEY (id),
    CONSTRAINT job_events_seq_key UNIQUE (job_id, seq),
    CONSTRAINT job_events_host_seq_key UNIQUE (build_id, attempt, host_seq),
    CONSTRAINT job_events_seq_check CHECK (seq >= 1),
    CONSTRAINT job_events_actor_kind_check CHECK (actor_kind IN ('user', 'token', 'host', 'system'))
);
CREATE INDEX job_events_feed_idx ON job_events (xact, id);
CREATE TRIGGER job_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON job_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE stick_events (
    id              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    stick_id        uuid        NOT NULL,
    seq             bigint      NOT NULL,
    build_id        uuid,
    attempt         integer,
    host_seq        bigint,
    type            text        NOT NULL,
    payload_version integer     NOT NULL,
    payload         jsonb       NOT NULL,
    actor_kind      text        NOT NULL,
    actor_id        uuid,
    at              timestamptz NOT NULL,
    host_at         timestamptz,
    xact            xid8        NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT stick_events_pkey PRIMARY KEY (id),
    CONSTRAINT stick_events_seq_key UNIQUE (stick_id, seq),
    CONSTRAINT stick_events_host_seq_key UNIQUE (build_id, attempt, host_seq),
    CONSTRAINT stick_events_seq_check CHECK (seq >= 1),
    CONSTRAINT stick_events_actor_kind_check CHECK (actor_kind IN ('user', 'token', 'host', 'system'))
);
CREATE INDEX stick_events_feed_idx ON stick_events (xact, id);
CREATE TRIGGER stick_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stick_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

UPDATE schema_migrations SET dirty = false;
COMMIT;

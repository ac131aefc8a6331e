-- Who may come in and how, the sites of people and tokens, and what the audit
-- log can be asked for.
BEGIN;

ALTER TABLE users
    ADD COLUMN sites           uuid[]      NOT NULL DEFAULT '{}', -- empty: every site, those to come too
    ADD COLUMN origin          text        NOT NULL DEFAULT 'local',
    ADD COLUMN subject         text        NOT NULL DEFAULT '',   -- the name that origin knows the person by, for ever
    ADD COLUMN last_sign_in_at timestamptz,
    ADD COLUMN totp_secret     bytea,                             -- sealed
    ADD COLUMN totp_key_id     text        NOT NULL DEFAULT '',
    ADD COLUMN totp_at         timestamptz,                       -- when a first code proved it; before, it counts for nothing
    ADD COLUMN totp_step       bigint      NOT NULL DEFAULT 0,    -- RFC 6238's T of the last code that was taken
    ADD CONSTRAINT users_origin_check CHECK (origin IN ('local', 'oidc', 'ldap')),
    ADD CONSTRAINT users_subject_check CHECK ((origin = 'local') = (subject = '')),
    ADD CONSTRAINT users_totp_check CHECK (totp_at IS NULL OR totp_secret IS NOT NULL);
CREATE UNIQUE INDEX users_subject_key ON users (origin, subject) WHERE origin <> 'local';

-- For when the telephone is gone: each works once.
CREATE TABLE recovery_codes (
    user_id uuid        NOT NULL,
    hash    bytea       NOT NULL,
    used_at timestamptz,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, hash),
    CONSTRAINT recovery_codes_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

-- Where a person is signed in. The cookie's session names its row: without
-- it the cookie is good for nothing.
CREATE TABLE user_sessions (
    id           uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    method       text        NOT NULL,
    address      text        NOT NULL,
    agent        text        NOT NULL,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT user_sessions_pkey PRIMARY KEY (id),
    CONSTRAINT user_sessions_method_check CHECK (method IN ('setup', 'password', 'link', 'oidc', 'ldap')),
    CONSTRAINT user_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX user_sessions_user_id_idx ON user_sessions (user_id, id);
CREATE INDEX user_sessions_expires_at_idx ON user_sessions (expires_at);

-- Attempts to sign in that did not lead in, by a keyed hash of the login: of
-- logins that there are and of those that there are not alike.
CREATE TABLE sign_in_attempts (
    login_hash   bytea       NOT NULL,
    failures     integer     NOT NULL,
    last_at      timestamptz NOT NULL,
    locked_until timestamptz NOT NULL,
    CONSTRAINT sign_in_attempts_pkey PRIMARY KEY (login_hash),
    CONSTRAINT sign_in_attempts_login_hash_check CHECK (octet_length(login_hash) = 32),
    CONSTRAINT sign_in_attempts_failures_check CHECK (failures >= 1)
);
CREATE INDEX sign_in_attempts_last_at_idx ON sign_in_attempts (last_at);

ALTER TABLE one_time_tokens
    DROP CONSTRAINT one_time_tokens_purpose_check,
    DROP CONSTRAINT one_time_tokens_target_check,
    ADD CONSTRAINT one_time_tokens_purpose_check CHECK (purpose IN ('setup', 'sign_in', 'enroll', 'password')),
    ADD CONSTRAINT one_time_tokens_target_check CHECK (
        (purpose NOT IN ('sign_in', 'password') OR user_id IS NOT NULL) AND (purpose <> 'enroll' OR site_id IS NOT NULL));

ALTER TABLE api_tokens ADD COLUMN sites uuid[] NOT NULL DEFAULT '{}'; -- empty: its owner's

-- The site of what a line is about; of what all sites share, none.
ALTER TABLE audit ADD COLUMN site_id uuid;
CREATE INDEX audit_actor_idx ON audit (actor_kind, actor_id, id);
CREATE INDEX audit_action_idx ON audit (action, id);
CREATE INDEX audit_site_id_idx ON audit (site_id, id);

UPDATE schema_migrations SET dirty = false;
COMMIT;

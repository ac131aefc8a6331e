-- Programs that ask a person for a token: the person reads a code, the program
-- keeps a secret.
BEGIN;

CREATE TABLE pairings (
    id         uuid        NOT NULL,
    code       text        NOT NULL,
    hash       bytea       NOT NULL, -- SHA-256 of the secret
    client     text        NOT NULL, -- what the program says of itself
    address    text        NOT NULL,
    state      text        NOT NULL,
    user_id    uuid,                 -- who answered
    role       text,                 -- of the token that was allowed
    scopes     text[]      NOT NULL DEFAULT '{}',
    lifetime   interval    NOT NULL DEFAULT '0', -- 0: it does not expire
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pairings_pkey PRIMARY KEY (id),
    CONSTRAINT pairings_code_key UNIQUE (code),
    CONSTRAINT pairings_hash_check CHECK (octet_length(hash) = 32),
    CONSTRAINT pairings_state_check CHECK (state IN ('open', 'allowed', 'denied', 'ended')),
    CONSTRAINT pairings_role_check CHECK (role IN ('viewer', 'helpdesk', 'admin')),
    CONSTRAINT pairings_answer_check CHECK (
        (state = 'open') = (user_id IS NULL) AND (state IN ('allowed', 'ended')) = (role IS NOT NULL)),
    CONSTRAINT pairings_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX pairings_expires_at_idx ON pairings (expires_at);

UPDATE schema_migrations SET dirty = false;
COMMIT;

BEGIN;

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
INSERT INTO idempotency_keys (scope, key, fingerprint, body, created_at, expires_at)
SELECT CASE WHEN upload LIKE 'job\_% %' THEN 'capture' ELSE 'upload' END, upload, sha256(convert_to(upload, 'UTF8')),
    convert_to(outcome::text, 'UTF8'), created_at, expires_at FROM upload_outcomes;

DROP TABLE upload_outcomes;
UPDATE schema_requirement SET min_app = 5 WHERE min_app = 6;

UPDATE schema_migrations SET dirty = false;
COMMIT;

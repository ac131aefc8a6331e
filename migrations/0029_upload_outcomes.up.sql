-- What came of uploads, for whoever missed the answer, has a table of its own: the
-- keys of requests are in idempotent_requests.
BEGIN;

CREATE TABLE upload_outcomes (
    upload     text        NOT NULL, -- its ID; of a capture after that of its job
    outcome    json        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT upload_outcomes_pkey PRIMARY KEY (upload)
);
CREATE INDEX upload_outcomes_expires_at_idx ON upload_outcomes (expires_at);
INSERT INTO upload_outcomes (upload, outcome, created_at, expires_at)
SELECT key, convert_from(body, 'UTF8')::json, created_at, expires_at FROM idempotency_keys
WHERE scope IN ('upload', 'capture') AND body <> '';

DROP TABLE idempotency_keys;
UPDATE schema_requirement SET min_app = greatest(min_app, 6);

UPDATE schema_migrations SET dirty = false;
COMMIT;

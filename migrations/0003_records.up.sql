-- What sticks are compared with later, and what came of it. What a stick has to
-- itself is in its build's result; here is what it shares with its content.
BEGIN;

-- Without a body: the host that wrote the sticks does not have it any more.
CREATE TABLE stick_records (
    common text        NOT NULL,
    body   bytea,
    at     timestamptz NOT NULL,
    CONSTRAINT stick_records_pkey PRIMARY KEY (common),
    CONSTRAINT stick_records_common_check CHECK (common ~ '^[0-9a-f]{64}$'),
    CONSTRAINT stick_records_body_check CHECK (octet_length(body) BETWEEN 1 AND 3145728)
);
CREATE INDEX builds_record_idx ON builds (host_id, (result -> 'record' ->> 'common'))
    WHERE result -> 'record' ->> 'common' <> '';

-- When the stick was last compared; one of the two says what was found.
ALTER TABLE sticks
    ADD COLUMN checked_at   timestamptz,
    ADD COLUMN check_result jsonb,
    ADD COLUMN check_fault  jsonb,
    ADD CONSTRAINT sticks_checked_at_check
        CHECK ((checked_at IS NOT NULL) = (check_result IS NOT NULL OR check_fault IS NOT NULL));
CREATE INDEX sticks_disk_id_idx ON sticks (disk_id) WHERE disk_id <> '';

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- What the overview counts by: when builds ended, why, and how much they wrote,
-- taken out of their documents so that an index can hold it. And a stick that
-- alone is to be stopped.
BEGIN;

ALTER TABLE builds
    ADD COLUMN cancel_requested_at timestamptz,
    ADD COLUMN fault_code    text   GENERATED ALWAYS AS (fault ->> 'code') STORED,
    ADD COLUMN bytes_written bigint GENERATED ALWAYS AS ((result ->> 'bytes_written')::bigint) STORED,
    ADD COLUMN write_ms      bigint GENERATED ALWAYS AS ((result ->> 'write_ms')::bigint) STORED;

CREATE INDEX builds_ended_at_idx ON builds (ended_at) INCLUDE (job_id, state, fault_code, bytes_written)
    WHERE ended_at IS NOT NULL;
CREATE INDEX builds_failed_idx ON builds (ended_at, id) WHERE state = 'failed';
CREATE INDEX builds_fault_code_idx ON builds (fault_code, id) WHERE fault_code IS NOT NULL;
CREATE INDEX sticks_verified_idx ON sticks (host_id) WHERE state = 'verified';

UPDATE schema_migrations SET dirty = false;
COMMIT;

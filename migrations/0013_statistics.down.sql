BEGIN;

DROP INDEX sticks_verified_idx;
DROP INDEX builds_fault_code_idx;
DROP INDEX builds_failed_idx;
DROP INDEX builds_ended_at_idx;
ALTER TABLE builds
    DROP COLUMN write_ms,
    DROP COLUMN bytes_written,
    DROP COLUMN fault_code,
    DROP COLUMN cancel_requested_at;

UPDATE schema_migrations SET dirty = false;
COMMIT;

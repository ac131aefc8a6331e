-- The records are lost, and what verifications found is only in the history.
BEGIN;

DROP INDEX sticks_disk_id_idx;
ALTER TABLE sticks
    DROP CONSTRAINT sticks_checked_at_check,
    DROP COLUMN check_fault,
    DROP COLUMN check_result,
    DROP COLUMN checked_at;
DROP INDEX builds_record_idx;
DROP TABLE stick_records;

UPDATE schema_migrations SET dirty = false;
COMMIT;

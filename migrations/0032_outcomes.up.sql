-- How a job or a build ended stands in a column of its own, which is empty while it
-- is under way: indexes ask for that and not for the state. A change of state,
-- a step, a line of progress then touches no index, and where its page has room
-- Postgres writes the new row beside the old one and nothing else.
BEGIN;

DROP INDEX jobs_state_idx, jobs_live_idx, jobs_not_before_idx, jobs_narrow_host_state_idx, jobs_narrow_version_state_idx;
ALTER TABLE jobs SET (fillfactor = 70);
ALTER TABLE jobs ADD COLUMN outcome text
    GENERATED ALWAYS AS (CASE WHEN state IN ('succeeded', 'failed', 'cancelled') THEN state END) STORED;
CREATE INDEX jobs_open_idx ON jobs (id) WHERE outcome IS NULL;
CREATE INDEX jobs_live_idx ON jobs (host_id, id) WHERE outcome IS NULL;
CREATE INDEX jobs_not_before_idx ON jobs (not_before) WHERE outcome IS NULL AND not_before IS NOT NULL;
CREATE INDEX jobs_outcome_idx ON jobs (outcome, id) WHERE outcome IS NOT NULL;
CREATE INDEX jobs_narrow_host_outcome_idx ON jobs (host_id, outcome, id) WHERE outcome IS NOT NULL;
CREATE INDEX jobs_narrow_version_outcome_idx ON jobs (image_version_id, outcome, id) WHERE outcome IS NOT NULL;

DROP INDEX builds_device_busy_key, builds_stick_busy_key, builds_state_idx, builds_ended_at_idx, builds_failed_idx;
ALTER TABLE builds SET (fillfactor = 70);
ALTER TABLE builds ADD COLUMN outcome text
    GENERATED ALWAYS AS (CASE WHEN state IN ('verified', 'failed', 'cancelled') THEN state END) STORED;
-- A stick has at most one build that is not over.
CREATE UNIQUE INDEX builds_device_busy_key ON builds (host_id, (device ->> 'port'), (device ->> 'lun')) WHERE outcome IS NULL;
CREATE UNIQUE INDEX builds_stick_busy_key ON builds (stick_id) WHERE outcome IS NULL;
CREATE INDEX builds_open_idx ON builds (id) WHERE outcome IS NULL;
CREATE INDEX builds_outcome_idx ON builds (outcome, id) WHERE outcome IS NOT NULL;
CREATE INDEX builds_ended_at_idx ON builds (ended_at) INCLUDE (job_id, outcome, fault_code, bytes_written)
    WHERE ended_at IS NOT NULL;
CREATE INDEX builds_failed_idx ON builds (ended_at, id) WHERE outcome = 'failed';
-- Builds that are not over have one job for each reference. Where somebody took the
-- constraint away the doctor says so.
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conname = 'builds_reference_open_excl' AND conrelid = 'builds'::regclass) THEN
        ALTER TABLE builds DROP CONSTRAINT builds_reference_open_excl;
        ALTER TABLE builds ADD CONSTRAINT builds_reference_open_excl
            EXCLUDE USING gist (reference_system WITH =, reference WITH =, job_id WITH <>)
            WHERE (outcome IS NULL AND reference <> '' AND reference_system <> '');
    END IF;
END $$;

UPDATE schema_migrations SET dirty = false;
COMMIT;

BEGIN;

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conname = 'builds_reference_open_excl' AND conrelid = 'builds'::regclass) THEN
        ALTER TABLE builds DROP CONSTRAINT builds_reference_open_excl;
        ALTER TABLE builds ADD CONSTRAINT builds_reference_open_excl
            EXCLUDE USING gist (reference_system WITH =, reference WITH =, job_id WITH <>)
            WHERE (state IN ('queued', 'assigned', 'running') AND reference <> '' AND reference_system <> '');
    END IF;
END $$;
DROP INDEX builds_device_busy_key, builds_stick_busy_key, builds_open_idx, builds_outcome_idx, builds_ended_at_idx, builds_failed_idx;
ALTER TABLE builds DROP COLUMN outcome;
ALTER TABLE builds RESET (fillfactor);
CREATE UNIQUE INDEX builds_device_busy_key ON builds (host_id, (device ->> 'port'), (device ->> 'lun'))
    WHERE state IN ('queued', 'assigned', 'running');
CREATE UNIQUE INDEX builds_stick_busy_key ON builds (stick_id) WHERE state IN ('queued', 'assigned', 'running');
CREATE INDEX builds_state_idx ON builds (state, id);
CREATE INDEX builds_ended_at_idx ON builds (ended_at) INCLUDE (job_id, state, fault_code, bytes_written)
    WHERE ended_at IS NOT NULL;
CREATE INDEX builds_failed_idx ON builds (ended_at, id) WHERE state = 'failed';

DROP INDEX jobs_open_idx, jobs_live_idx, jobs_not_before_idx, jobs_outcome_idx, jobs_narrow_host_outcome_idx, jobs_narrow_version_outcome_idx;
ALTER TABLE jobs DROP COLUMN outcome;
ALTER TABLE jobs RESET (fillfactor);
CREATE INDEX jobs_state_idx ON jobs (state, id);
CREATE INDEX jobs_live_idx ON jobs (host_id, id) WHERE state IN ('queued', 'running', 'cancelling');
CREATE INDEX jobs_not_before_idx ON jobs (not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE INDEX jobs_narrow_host_state_idx ON jobs (host_id, state, id);
CREATE INDEX jobs_narrow_version_state_idx ON jobs (image_version_id, state, id);

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- Two things that a list of jobs is narrowed by at once.
BEGIN;

CREATE INDEX jobs_narrow_host_state_idx ON jobs (host_id, state, id);
CREATE INDEX jobs_narrow_version_state_idx ON jobs (image_version_id, state, id);

UPDATE schema_migrations SET dirty = false;
COMMIT;

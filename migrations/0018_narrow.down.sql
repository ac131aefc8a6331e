BEGIN;

DROP INDEX jobs_narrow_version_state_idx, jobs_narrow_host_state_idx;

UPDATE schema_migrations SET dirty = false;
COMMIT;

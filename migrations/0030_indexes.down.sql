BEGIN;

DROP INDEX jobs_narrow_system_idx, builds_narrow_system_idx;
CREATE INDEX jobs_image_version_id_idx ON jobs (image_version_id);
CREATE INDEX builds_live_idx ON builds (host_id, job_id) WHERE state IN ('queued', 'assigned', 'running');
CREATE INDEX builds_verified_idx ON builds (host_id, id) WHERE state = 'verified';

UPDATE schema_migrations SET dirty = false;
COMMIT;

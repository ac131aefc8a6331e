-- Indexes that others stand in for go: what begins with image_version_id is found by
-- jobs_narrow_version_idx, the live builds of a host by builds_device_busy_key, the
-- verified ones by builds_narrow_host_idx. The system of a reference gets its own:
-- without, a list of one that hardly anything has reads every row.
BEGIN;

DROP INDEX jobs_image_version_id_idx, builds_live_idx, builds_verified_idx;
CREATE INDEX jobs_narrow_system_idx ON jobs (reference_system, id) WHERE reference_system <> '';
CREATE INDEX builds_narrow_system_idx ON builds (reference_system, id) WHERE reference_system <> '';

UPDATE schema_migrations SET dirty = false;
COMMIT;

BEGIN;

UPDATE schema_requirement SET min_app = 2 WHERE min_app = 3;

DROP INDEX builds_verified_idx;
DROP INDEX jobs_created_by_idx;
DROP INDEX jobs_not_before_idx;
ALTER TABLE jobs DROP COLUMN not_before;

UPDATE schema_migrations SET dirty = false;
COMMIT;

BEGIN;

DROP INDEX builds_narrow_host_idx;

UPDATE schema_migrations SET dirty = false;
COMMIT;

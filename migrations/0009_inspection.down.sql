BEGIN;

DROP TABLE inspections;
DROP SCHEMA river CASCADE;

UPDATE schema_migrations SET dirty = false;
COMMIT;

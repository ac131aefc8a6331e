BEGIN;

UPDATE schema_requirement SET min_app = 4 WHERE min_app = 5;
DROP INDEX sticks_short_idx;
ALTER TABLE sticks DROP COLUMN data;

UPDATE schema_migrations SET dirty = false;
COMMIT;

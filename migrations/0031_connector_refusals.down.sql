BEGIN;

ALTER TABLE connectors DROP COLUMN refused_at, DROP COLUMN refused_from, DROP COLUMN refused_why, DROP COLUMN refused_count;

UPDATE schema_migrations SET dirty = false;
COMMIT;

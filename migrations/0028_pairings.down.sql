BEGIN;

DROP TABLE pairings;

UPDATE schema_migrations SET dirty = false;
COMMIT;

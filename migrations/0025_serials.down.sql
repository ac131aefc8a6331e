BEGIN;

DROP INDEX hosts_serials_idx;

UPDATE schema_migrations SET dirty = false;
COMMIT;

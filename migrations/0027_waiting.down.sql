BEGIN;

DROP INDEX write_backs_waiting_idx;

UPDATE schema_migrations SET dirty = false;
COMMIT;

BEGIN;

ALTER TABLE task_sequence_versions DROP COLUMN min_write_rate, DROP COLUMN min_random_iops;

UPDATE schema_migrations SET dirty = false;
COMMIT;

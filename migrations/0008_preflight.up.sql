-- What a stick must be able to do at least, by its task sequence; 0 demands
-- nothing.
BEGIN;

ALTER TABLE task_sequence_versions
    ADD COLUMN min_write_rate  bigint NOT NULL DEFAULT 0, -- bytes per second
    ADD COLUMN min_random_iops bigint NOT NULL DEFAULT 0, -- writes of 4 KiB per second
    ADD CONSTRAINT task_sequence_versions_min_write_rate_check CHECK (min_write_rate >= 0),
    ADD CONSTRAINT task_sequence_versions_min_random_iops_check CHECK (min_random_iops >= 0);

UPDATE schema_migrations SET dirty = false;
COMMIT;

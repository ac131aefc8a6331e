-- Fails while there is a capture of a file: its build names no stick.
BEGIN;

DROP TABLE settings;

ALTER TABLE builds
    DROP CONSTRAINT builds_stick_check,
    ALTER COLUMN stick_id SET NOT NULL;

DROP TRIGGER image_versions_source_append_only ON image_versions;
ALTER TABLE image_versions DROP COLUMN source_job_id;

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- A capture makes a version of what a disk holds: the version names its job. It
-- may read a file of the host, which is no stick.
BEGIN;

ALTER TABLE image_versions
    ADD COLUMN source_job_id uuid,
    ADD CONSTRAINT image_versions_source_job_id_fkey FOREIGN KEY (source_job_id) REFERENCES jobs (id);
-- a capture that asks twice for its version gets the same one
CREATE UNIQUE INDEX image_versions_source_job_id_key ON image_versions (source_job_id);
CREATE TRIGGER image_versions_source_append_only BEFORE UPDATE ON image_versions FOR EACH ROW
    WHEN (OLD.source_job_id IS DISTINCT FROM NEW.source_job_id) EXECUTE FUNCTION refuse_change();

ALTER TABLE builds
    ALTER COLUMN stick_id DROP NOT NULL,
    ADD CONSTRAINT builds_stick_check CHECK ((stick_id IS NULL) = (device ->> 'kind' = 'file'));

-- What an admin sets once for all; who changed what when is in the audit log.
CREATE TABLE settings (
    name       text        NOT NULL,
    value      text        NOT NULL,
    revision   bigint      NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    CONSTRAINT settings_pkey PRIMARY KEY (name),
    CONSTRAINT settings_name_check CHECK (name IN ('capture_exclusions'))
);

UPDATE schema_migrations SET dirty = false;
COMMIT;

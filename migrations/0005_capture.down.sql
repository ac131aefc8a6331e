-- Fails while there is a capture of a file: its build names no stick.
BEGIN;

DROP TABLE settings;

ALTER TABLE builds
    DROP CONSTRAINT builds_stick_check,
    ALTER COLUMN stick_id SET NOT NULL;

DROP TRIGGER image_versions_append_only ON image_versions;
CREATE TRIGGER image_versions_append_only BEFORE UPDATE ON image_versions FOR EACH ROW
    WHEN ((OLD.id, OLD.image_id, OLD.version, OLD.source_commit, OLD.sha256, OLD.bytes, OLD.format, OLD.file_name,
           OLD.editions, OLD.created_at, OLD.created_by_kind, OLD.created_by_id)
       IS DISTINCT FROM
          (NEW.id, NEW.image_id, NEW.version, NEW.source_commit, NEW.sha256, NEW.bytes, NEW.format, NEW.file_name,
           NEW.editions, NEW.created_at, NEW.created_by_kind, NEW.created_by_id))
    EXECUTE FUNCTION refuse_change();
ALTER TABLE image_versions DROP COLUMN source_job_id;

UPDATE schema_migrations SET dirty = false;
COMMIT;

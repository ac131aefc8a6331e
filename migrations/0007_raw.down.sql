-- Fails while there is a version that is a disk image.
BEGIN;

DROP TABLE block_maps;
ALTER TABLE image_versions ADD CONSTRAINT image_versions_no_disk_check CHECK (disk IS NULL);
ALTER TABLE image_versions DROP CONSTRAINT image_versions_no_disk_check;
DROP TRIGGER image_versions_append_only ON image_versions;
ALTER TABLE image_versions DROP CONSTRAINT image_versions_disk_check, DROP COLUMN disk;
CREATE TRIGGER image_versions_append_only BEFORE UPDATE ON image_versions FOR EACH ROW
    WHEN ((OLD.id, OLD.image_id, OLD.version, OLD.source_commit, OLD.sha256, OLD.bytes, OLD.format, OLD.file_name,
           OLD.editions, OLD.created_at, OLD.created_by_kind, OLD.created_by_id)
       IS DISTINCT FROM
          (NEW.id, NEW.image_id, NEW.version, NEW.source_commit, NEW.sha256, NEW.bytes, NEW.format, NEW.file_name,
           NEW.editions, NEW.created_at, NEW.created_by_kind, NEW.created_by_id))
    EXECUTE FUNCTION refuse_change();

UPDATE schema_migrations SET dirty = false;
COMMIT;

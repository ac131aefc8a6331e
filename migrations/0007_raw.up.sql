-- Disk images: what the disk in the file is, and the block maps that say what of
-- it must be written.
BEGIN;

ALTER TABLE image_versions
    ADD COLUMN disk jsonb,
    ADD CONSTRAINT image_versions_disk_check CHECK ((disk IS NOT NULL) = (format IN ('vhd', 'vhdx', 'iso', 'raw')));
DROP TRIGGER image_versions_append_only ON image_versions;
CREATE TRIGGER image_versions_append_only BEFORE UPDATE ON image_versions FOR EACH ROW
    WHEN ((OLD.id, OLD.image_id, OLD.version, OLD.source_commit, OLD.sha256, OLD.bytes, OLD.format, OLD.file_name,
           OLD.editions, OLD.disk, OLD.created_at, OLD.created_by_kind, OLD.created_by_id)
       IS DISTINCT FROM
          (NEW.id, NEW.image_id, NEW.version, NEW.source_commit, NEW.sha256, NEW.bytes, NEW.format, NEW.file_name,
           NEW.editions, NEW.disk, NEW.created_at, NEW.created_by_kind, NEW.created_by_id))
    EXECUTE FUNCTION refuse_change();

CREATE TABLE block_maps (
    image_version_id uuid        NOT NULL,
    body             text        NOT NULL,
    ranges           jsonb       NOT NULL,
    mapped_bytes     bigint      NOT NULL,
    trusted          boolean     NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT block_maps_pkey PRIMARY KEY (image_version_id),
    CONSTRAINT block_maps_mapped_bytes_check CHECK (mapped_bytes >= 0),
    CONSTRAINT block_maps_image_version_id_fkey FOREIGN KEY (image_version_id) REFERENCES image_versions (id)
);

UPDATE schema_migrations SET dirty = false;
COMMIT;

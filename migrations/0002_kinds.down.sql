-- Fails while there is a job of another kind: its history would be lost.
BEGIN;

ALTER TABLE jobs
    DROP CONSTRAINT jobs_sequence_check,
    DROP CONSTRAINT jobs_image_check,
    DROP CONSTRAINT jobs_kind_check,
    DROP CONSTRAINT jobs_layout_check,
    DROP CONSTRAINT jobs_edition_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('press')),
    ADD CONSTRAINT jobs_layout_check CHECK (layout IN ('mbr-dual', 'gpt-uefi')),
    ADD CONSTRAINT jobs_edition_check CHECK (edition >= 1),
    ALTER COLUMN image_version_id SET NOT NULL,
    ALTER COLUMN task_sequence_version_id SET NOT NULL,
    DROP COLUMN overrides,
    DROP COLUMN options;

UPDATE schema_requirement SET min_app = 1;

UPDATE schema_migrations SET dirty = false;
COMMIT;

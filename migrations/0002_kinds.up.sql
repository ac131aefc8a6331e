-- Jobs of other kinds than pressing: they may write no image, and follow no task
-- sequence. A program that knows only pressing would give them to its hosts as
-- such, so it may not run on this schema.
BEGIN;

ALTER TABLE jobs
    ADD COLUMN options   jsonb  NOT NULL DEFAULT '{}',
    ADD COLUMN overrides text[] NOT NULL DEFAULT '{}',
    ALTER COLUMN image_version_id DROP NOT NULL,
    ALTER COLUMN task_sequence_version_id DROP NOT NULL,
    DROP CONSTRAINT jobs_kind_check,
    DROP CONSTRAINT jobs_layout_check,
    DROP CONSTRAINT jobs_edition_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('press', 'raw', 'verify', 'wipe', 'capture')),
    ADD CONSTRAINT jobs_layout_check CHECK (layout IN ('mbr-dual', 'gpt-uefi') OR kind <> 'press' AND layout = ''),
    ADD CONSTRAINT jobs_edition_check CHECK (edition >= 1 OR kind <> 'press' AND edition = 0),
    ADD CONSTRAINT jobs_image_check CHECK (image_version_id IS NOT NULL OR kind NOT IN ('press', 'raw')),
    ADD CONSTRAINT jobs_sequence_check CHECK ((task_sequence_version_id IS NOT NULL) = (kind = 'press'));

UPDATE schema_requirement SET min_app = 2;

UPDATE schema_migrations SET dirty = false;
COMMIT;

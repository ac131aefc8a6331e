BEGIN;

DROP INDEX sticks_narrow_state_idx, sticks_narrow_serial_idx, sticks_narrow_holder_idx, builds_narrow_reference_idx, builds_narrow_holder_idx,
    jobs_narrow_version_idx, jobs_narrow_site_idx, jobs_narrow_kind_idx;
DROP TABLE saved_views;
ALTER TABLE task_sequences DROP COLUMN retired_at;
ALTER TABLE unattend_templates DROP COLUMN retired_at;
ALTER TABLE sites DROP CONSTRAINT sites_retired_check, DROP COLUMN retired_at;

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- What lists are narrowed by; views of them that people keep; what is taken out
-- of use without being forgotten.
BEGIN;

ALTER TABLE sites ADD COLUMN retired_at timestamptz,
    ADD CONSTRAINT sites_retired_check CHECK (retired_at IS NULL OR NOT is_default);
ALTER TABLE unattend_templates ADD COLUMN retired_at timestamptz;
ALTER TABLE task_sequences ADD COLUMN retired_at timestamptz;

CREATE TABLE saved_views (
    id         uuid        NOT NULL,
    user_id    uuid, -- NULL: everybody's
    list       text        NOT NULL,
    name       text        NOT NULL,
    query      text        NOT NULL,
    revision   bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT saved_views_pkey PRIMARY KEY (id),
    CONSTRAINT saved_views_name_check CHECK (name <> ''),
    CONSTRAINT saved_views_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX saved_views_name_key ON saved_views (list, user_id, lower(name));
CREATE UNIQUE INDEX saved_views_shared_key ON saved_views (list, lower(name)) WHERE user_id IS NULL;

CREATE INDEX jobs_narrow_kind_idx ON jobs (kind, id);
CREATE INDEX jobs_narrow_site_idx ON jobs (site_id, id);
CREATE INDEX jobs_narrow_version_idx ON jobs (image_version_id, id);
CREATE INDEX builds_narrow_holder_idx ON builds (lower(holder) text_pattern_ops) WHERE holder <> '';
CREATE INDEX builds_narrow_reference_idx ON builds (lower(reference) text_pattern_ops) WHERE reference <> '';
CREATE INDEX sticks_narrow_holder_idx ON sticks (lower(holder) text_pattern_ops) WHERE holder <> '';
CREATE INDEX sticks_narrow_serial_idx ON sticks (lower(serial) text_pattern_ops);
CREATE INDEX sticks_narrow_state_idx ON sticks (state, id);

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- What a connector was sent last that did not prove where it came from: when, from
-- where, why it was not believed, and how many there were; nothing of what was sent.
BEGIN;

ALTER TABLE connectors
    ADD COLUMN refused_at    timestamptz,
    ADD COLUMN refused_from  text   NOT NULL DEFAULT '',
    ADD COLUMN refused_why   text   NOT NULL DEFAULT '',
    ADD COLUMN refused_count bigint NOT NULL DEFAULT 0, -- since one was believed, or the secret changed
    ADD CONSTRAINT connectors_refused_why_check CHECK (refused_why IN ('', 'missing', 'wrong', 'too_old', 'retired'));

UPDATE schema_migrations SET dirty = false;
COMMIT;

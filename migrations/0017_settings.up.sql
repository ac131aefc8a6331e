-- Which settings there are is the program's business.
BEGIN;

ALTER TABLE settings DROP CONSTRAINT settings_name_check,
    ADD CONSTRAINT settings_name_check CHECK (name <> '');

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- Forgets the settings that the program before did not know.
BEGIN;

DELETE FROM settings WHERE name <> 'capture_exclusions';
ALTER TABLE settings DROP CONSTRAINT settings_name_check,
    ADD CONSTRAINT settings_name_check CHECK (name IN ('capture_exclusions'));

UPDATE schema_migrations SET dirty = false;
COMMIT;

BEGIN;

ALTER TABLE api_tokens DROP COLUMN parent_id, DROP COLUMN created_by;
ALTER TABLE users DROP COLUMN vouched_at, DROP COLUMN no_role_at;
ALTER TABLE sign_in_attempts DROP COLUMN subject_hash;

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- Tokens with scopes end: a program that does not know scopes would let them do more.
BEGIN;

UPDATE api_tokens SET revoked_at = now() WHERE scopes <> '{}' AND revoked_at IS NULL;
ALTER TABLE api_tokens DROP COLUMN scopes;
ALTER TABLE builds DROP CONSTRAINT builds_reference_open_excl, DROP COLUMN reference_system;
ALTER TABLE jobs DROP COLUMN reference_system;
DROP TABLE idempotent_requests;
DROP EXTENSION IF EXISTS btree_gist;

UPDATE schema_requirement SET min_app = 4 WHERE min_app = 5;
UPDATE schema_migrations SET dirty = false;
COMMIT;

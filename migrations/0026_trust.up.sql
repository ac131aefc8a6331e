-- Whom the console still trusts: attempts to get in, of whom they were; people
-- whom nobody vouches for any more; who made a token, and with which other one.
BEGIN;

-- The rows of one login, or of one person's codes, have this in common, from
-- whichever address. Those of the program before have none and are of no use.
ALTER TABLE sign_in_attempts
    ADD COLUMN subject_hash bytea,
    ADD CONSTRAINT sign_in_attempts_subject_hash_check CHECK (octet_length(subject_hash) = 32);
CREATE INDEX sign_in_attempts_subject_hash_idx ON sign_in_attempts (subject_hash);

ALTER TABLE users
    ADD COLUMN no_role_at timestamptz, -- when the last of the groups that give a role was gone
    ADD COLUMN vouched_at timestamptz, -- when the origin last vouched; of local people never
    ADD CONSTRAINT users_vouched_check CHECK (origin <> 'local' OR no_role_at IS NULL AND vouched_at IS NULL);
UPDATE users SET vouched_at = coalesce(last_sign_in_at, created_at) WHERE origin <> 'local';

ALTER TABLE api_tokens
    ADD COLUMN created_by uuid, -- the person who made it, or whose token did; none: the command line
    ADD COLUMN parent_id  uuid, -- the token that made it
    ADD CONSTRAINT api_tokens_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id),
    ADD CONSTRAINT api_tokens_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES api_tokens (id);
CREATE INDEX api_tokens_parent_id_idx ON api_tokens (parent_id) WHERE parent_id IS NOT NULL;

UPDATE schema_migrations SET dirty = false;
COMMIT;

BEGIN;

DROP INDEX audit_site_id_idx, audit_action_idx, audit_actor_idx;
ALTER TABLE audit DROP COLUMN site_id;
ALTER TABLE api_tokens DROP COLUMN sites;
DELETE FROM one_time_tokens WHERE purpose = 'password';
ALTER TABLE one_time_tokens
    DROP CONSTRAINT one_time_tokens_purpose_check,
    DROP CONSTRAINT one_time_tokens_target_check,
    ADD CONSTRAINT one_time_tokens_purpose_check CHECK (purpose IN ('setup', 'sign_in', 'enroll')),
    ADD CONSTRAINT one_time_tokens_target_check CHECK (
        (purpose <> 'sign_in' OR user_id IS NOT NULL) AND (purpose <> 'enroll' OR site_id IS NOT NULL));
DROP TABLE sign_in_attempts;
DROP TABLE user_sessions;
DROP TABLE recovery_codes;
ALTER TABLE users
    DROP COLUMN sites, DROP COLUMN origin, DROP COLUMN subject, DROP COLUMN last_sign_in_at,
    DROP COLUMN totp_secret, DROP COLUMN totp_key_id, DROP COLUMN totp_at, DROP COLUMN totp_step;

UPDATE schema_migrations SET dirty = false;
COMMIT;

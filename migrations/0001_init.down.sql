BEGIN;

DROP TABLE stick_events, job_events, build_attempts, builds, jobs, sticks, host_progress, hosts,
    task_sequence_versions, task_sequences, unattend_template_versions, unattend_templates,
    channels, image_versions, images, blobs, server_keys, idempotency_keys, audit, api_tokens,
    one_time_tokens, sessions, users, sites, schema_requirement;
DROP FUNCTION refuse_change();

UPDATE schema_migrations SET dirty = false;
COMMIT;

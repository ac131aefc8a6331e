-- Forgets webhooks and what was sent to them.
BEGIN;

DROP TABLE webhook_reader, webhook_attempts, webhook_messages, webhooks;
DELETE FROM river.river_job WHERE queue = 'webhooks';

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- Builds as a list of their own: those of a host, the newest first.
BEGIN;

CREATE INDEX builds_narrow_host_idx ON builds (host_id, id);

UPDATE schema_migrations SET dirty = false;
COMMIT;

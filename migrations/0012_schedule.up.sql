-- Jobs for later, and what the page that queues them asks of history. A program
-- that knows no times would begin such a job at once, so it may not run here.
BEGIN;

ALTER TABLE jobs ADD COLUMN not_before timestamptz; -- no host gets it earlier

CREATE INDEX jobs_not_before_idx ON jobs (not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
-- what somebody pressed last
CREATE INDEX jobs_created_by_idx ON jobs (created_by_id, kind, id);
-- how long sticks took on a host
CREATE INDEX builds_verified_idx ON builds (host_id, id) WHERE state = 'verified';

UPDATE schema_requirement SET min_app = greatest(min_app, 3);

UPDATE schema_migrations SET dirty = false;
COMMIT;

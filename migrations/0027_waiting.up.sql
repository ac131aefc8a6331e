-- What is to be told to tickets is looked through now and then, for what nobody
-- is at any more.
BEGIN;

CREATE INDEX write_backs_waiting_idx ON write_backs (id) WHERE state = 'waiting';

UPDATE schema_migrations SET dirty = false;
COMMIT;

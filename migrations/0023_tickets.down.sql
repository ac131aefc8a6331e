BEGIN;

DROP TABLE write_back_attempts, write_backs, stick_request_builds, stick_requests, connector_deliveries, connector_payloads, connectors;

UPDATE schema_migrations SET dirty = false;
COMMIT;

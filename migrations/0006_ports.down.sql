BEGIN;

DROP TABLE host_identifications;
DROP TABLE host_calibrations;
DROP TABLE host_ports;

UPDATE schema_migrations SET dirty = false;
COMMIT;

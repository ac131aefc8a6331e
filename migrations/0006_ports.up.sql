-- The numbers that are printed on a host's sockets, how they are found out, and
-- the order to let a stick flash.
BEGIN;

CREATE TABLE host_ports (
    host_id uuid    NOT NULL,
    hub     text    NOT NULL, -- what tells apart hubs that are numbered alike; often empty
    number  integer NOT NULL, -- as printed
    socket  text    NOT NULL, -- protocol.Device.Socket
    CONSTRAINT host_ports_pkey PRIMARY KEY (host_id, hub, number),
    CONSTRAINT host_ports_socket_key UNIQUE (host_id, socket),
    CONSTRAINT host_ports_number_check CHECK (number BETWEEN 1 AND 999),
    CONSTRAINT host_ports_host_id_fkey FOREIGN KEY (host_id) REFERENCES hosts (id)
);

-- A calibration waits for a stick in the socket with the number next. Seen are
-- the connections (protocol.Identity.Connection) that are no news any more.
CREATE TABLE host_calibrations (
    host_id    uuid        NOT NULL,
    hub        text        NOT NULL,
    first      integer     NOT NULL,
    next       integer     NOT NULL,
    seen       bigint[]    NOT NULL,
    note       text        NOT NULL, -- what happened last
    started_at timestamptz NOT NULL,
    CONSTRAINT host_calibrations_pkey PRIMARY KEY (host_id),
    CONSTRAINT host_calibrations_next_check CHECK (first >= 1 AND next BETWEEN first AND 1000),
    CONSTRAINT host_calibrations_note_check CHECK (note IN ('', 'found', 'known', 'several', 'undone', 'skipped')),
    CONSTRAINT host_calibrations_host_id_fkey FOREIGN KEY (host_id) REFERENCES hosts (id)
);

-- The newest order for each host; it is taken once.
CREATE TABLE host_identifications (
    host_id  uuid        NOT NULL,
    device   jsonb       NOT NULL, -- protocol.Identity
    seconds  integer     NOT NULL,
    asked_at timestamptz NOT NULL,
    CONSTRAINT host_identifications_pkey PRIMARY KEY (host_id),
    CONSTRAINT host_identifications_host_id_fkey FOREIGN KEY (host_id) REFERENCES hosts (id)
);

UPDATE schema_migrations SET dirty = false;
COMMIT;

-- Who has a stick, for whom its content was pressed, that it was erased, and
-- what the console certifies about that.
BEGIN;

ALTER TABLE sticks
    ADD COLUMN life   text NOT NULL DEFAULT 'stock',
    -- for whom its content was pressed, until it is wiped
    ADD COLUMN holder text NOT NULL DEFAULT '',
    DROP CONSTRAINT sticks_state_check,
    ADD CONSTRAINT sticks_state_check
        CHECK (state IN ('unknown', 'pressing', 'verified', 'incomplete', 'erasing', 'wiped')),
    ADD CONSTRAINT sticks_life_check CHECK (life IN ('stock', 'issued', 'returned'));
CREATE INDEX sticks_holder_idx ON sticks (holder) WHERE holder <> '';

-- A JSON Web Signature in its three parts, as api/certificate made it.
CREATE TABLE certificates (
    id        uuid        NOT NULL,
    stick_id  uuid        NOT NULL,
    build_id  uuid        NOT NULL,
    protected text        NOT NULL,
    payload   text        NOT NULL,
    signature text        NOT NULL,
    issued_at timestamptz NOT NULL,
    CONSTRAINT certificates_pkey PRIMARY KEY (id),
    CONSTRAINT certificates_build_id_key UNIQUE (build_id),
    CONSTRAINT certificates_stick_id_fkey FOREIGN KEY (stick_id) REFERENCES sticks (id),
    CONSTRAINT certificates_build_id_fkey FOREIGN KEY (build_id) REFERENCES builds (id)
);
CREATE INDEX certificates_stick_id_idx ON certificates (stick_id, id);
CREATE TRIGGER certificates_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON certificates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

UPDATE schema_migrations SET dirty = false;
COMMIT;

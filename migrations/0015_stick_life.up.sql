-- Sticks that are handed out, lost and taken out of use; what is to be disabled
-- after a loss; and by what else sticks are looked for.
BEGIN;

ALTER TABLE sticks
    ADD COLUMN reference text NOT NULL DEFAULT '',
    DROP CONSTRAINT sticks_life_check,
    ADD CONSTRAINT sticks_life_check CHECK (life IN ('stock', 'issued', 'returned', 'lost', 'retired'));

CREATE TABLE stick_tasks (
    id           uuid        NOT NULL,
    stick_id     uuid        NOT NULL,
    kind         text        NOT NULL,
    subject      text        NOT NULL,
    place        text        NOT NULL,
    done_at      timestamptz,
    done_by_kind text,
    done_by_id   uuid,
    dropped_at   timestamptz, -- the stick was found before it was done
    created_at   timestamptz NOT NULL,
    CONSTRAINT stick_tasks_pkey PRIMARY KEY (id),
    CONSTRAINT stick_tasks_kind_check CHECK (kind IN ('computer_account', 'bitlocker_key', 'sessions', 'join_variable')),
    CONSTRAINT stick_tasks_done_check CHECK ((done_at IS NULL) = (done_by_kind IS NULL)),
    CONSTRAINT stick_tasks_stick_id_fkey FOREIGN KEY (stick_id) REFERENCES sticks (id)
);
CREATE INDEX stick_tasks_stick_id_idx ON stick_tasks (stick_id, id);
CREATE INDEX stick_tasks_open_idx ON stick_tasks (stick_id) WHERE done_at IS NULL AND dropped_at IS NULL;

CREATE INDEX sticks_narrow_life_idx ON sticks (life, id);
CREATE INDEX sticks_narrow_reference_idx ON sticks (lower(reference) text_pattern_ops) WHERE reference <> '';
CREATE INDEX sticks_last_build_id_idx ON sticks (last_build_id) WHERE last_build_id IS NOT NULL;
CREATE INDEX builds_narrow_computer_idx ON builds (lower(variables ->> 'computer_name') text_pattern_ops)
    WHERE variables ->> 'computer_name' <> '';

-- A program that does not know lost sticks would refuse what a host says of one.
UPDATE schema_requirement SET min_app = greatest(min_app, 4);
UPDATE schema_migrations SET dirty = false;
COMMIT;

-- Fails while a stick is erased or being erased: its history would be lost.
BEGIN;

DROP TABLE certificates;
ALTER TABLE sticks
    DROP CONSTRAINT sticks_life_check,
    DROP CONSTRAINT sticks_state_check,
    ADD CONSTRAINT sticks_state_check CHECK (state IN ('unknown', 'pressing', 'verified', 'incomplete')),
    DROP COLUMN holder,
    DROP COLUMN life;

UPDATE schema_migrations SET dirty = false;
COMMIT;

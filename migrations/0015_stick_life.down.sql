-- Lost and retired sticks are returned for a program that does not know them.
BEGIN;

DROP INDEX builds_narrow_computer_idx, sticks_last_build_id_idx, sticks_narrow_reference_idx, sticks_narrow_life_idx;
DROP TABLE stick_tasks;
ALTER TABLE sticks DROP CONSTRAINT sticks_life_check;
UPDATE sticks SET life = 'returned' WHERE life IN ('lost', 'retired');
ALTER TABLE sticks DROP COLUMN reference,
    ADD CONSTRAINT sticks_life_check CHECK (life IN ('stock', 'issued', 'returned'));

UPDATE schema_migrations SET dirty = false;
COMMIT;

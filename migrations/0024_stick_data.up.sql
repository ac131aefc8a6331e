-- What becomes of a user's data on a stick that comes back; and sticks by the end
-- of their ID, which is what their labels say.
BEGIN;

ALTER TABLE sticks
    ADD COLUMN data text NOT NULL DEFAULT '',
    ADD CONSTRAINT sticks_data_check CHECK (data IN ('', 'open', 'none', 'copied', 'given_up'));

-- As a replay of their events has it.
UPDATE sticks SET data = CASE WHEN EXISTS (
        SELECT FROM stick_events e
        WHERE e.stick_id = sticks.id AND e.seq > last.seq AND e.type = 'stick_checked'
            AND e.payload -> 'fault' IS NULL AND e.payload -> 'check' ->> 'outcome' = 'intact'
    ) THEN 'none' ELSE 'open' END
FROM (
    SELECT DISTINCT ON (stick_id) stick_id, seq, type FROM stick_events
    WHERE type IN ('stick_returned', 'stick_found', 'stick_verified', 'stick_wiped', 'stick_issued')
    ORDER BY stick_id, seq DESC
) AS last
WHERE last.stick_id = sticks.id AND last.type IN ('stick_returned', 'stick_found');

-- The last 32 bits of the 35 that ShortName shows.
CREATE INDEX sticks_short_idx ON sticks (right(id::text, 8));

-- A program that does not ask would press over what somebody left.
UPDATE schema_requirement SET min_app = greatest(min_app, 5);
UPDATE schema_migrations SET dirty = false;
COMMIT;

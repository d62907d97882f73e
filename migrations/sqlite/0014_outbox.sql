-- What is known of a post whose answer was lost, and of a message whose place takes none.

-- Since when an attempt may have posted it without our knowing. Null: none may have.
ALTER TABLE messages ADD COLUMN tried_us INTEGER;
ALTER TABLE replies ADD COLUMN tried_us INTEGER;
ALTER TABLE reminders ADD COLUMN tried_us INTEGER;
-- Since when a card cannot reach those whom it would ask.
ALTER TABLE messages ADD COLUMN lost_us INTEGER;

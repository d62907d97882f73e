-- When an open petition is to be escalated, and when it was. Null: its rule escalates nothing, or it is decided.

ALTER TABLE petitions ADD COLUMN escalate_us INTEGER;
ALTER TABLE petitions ADD COLUMN escalated_us INTEGER;
CREATE INDEX petitions_to_escalate ON petitions (escalate_us) WHERE escalate_us IS NOT NULL;

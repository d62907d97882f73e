-- The petition whose end this one moves, and, where its rule let it stand without a reviewer, by how much ends have been
-- moved so since one was last asked.
ALTER TABLE petitions ADD COLUMN extends TEXT;
ALTER TABLE petitions ADD COLUMN pre_approved_us INTEGER;
CREATE INDEX petitions_extending ON petitions (extends) WHERE extends IS NOT NULL;
CREATE INDEX petitions_closed_of ON petitions (petitioner, closed_us) WHERE state = 'closed';

-- The Home tab of everybody who has opened it. `wanted` counts the changes that it shall show, `sent` those that it has
-- shown; changes are only counted for those who have opened it lately.
CREATE TABLE homes (
    user_id    TEXT PRIMARY KEY,
    email      TEXT,
    opened_us  INTEGER NOT NULL,
    wanted     INTEGER NOT NULL,
    sent       INTEGER NOT NULL,
    -- when it is due; while an attempt is under way, when that attempt is given up for dead; NULL: nothing to do
    next_us    INTEGER,
    attempt    TEXT,
    attempts   INTEGER NOT NULL,
    last_error TEXT
) STRICT;
CREATE INDEX homes_due ON homes (next_us) WHERE next_us IS NOT NULL;
CREATE INDEX homes_by_email ON homes (email) WHERE email IS NOT NULL;

-- What each bot of a [[decision]] is still to be asked: one row is one petition and one bot.
CREATE TABLE decisions (
    petition   TEXT NOT NULL REFERENCES petitions (name),
    name       TEXT NOT NULL,
    -- when it is due; while an attempt is under way, when that attempt is given up for dead; NULL: nothing to do
    next_us    BIGINT,
    attempt    TEXT,
    attempts   BIGINT NOT NULL,
    failing_us BIGINT,
    last_error TEXT,
    PRIMARY KEY (petition, name)
);
CREATE INDEX decisions_due ON decisions (name, next_us) WHERE next_us IS NOT NULL;

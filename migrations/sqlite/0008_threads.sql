-- What stands in the threads of messages, and the reminders of reviewers.

-- Where somebody wrote is looked up with each message event of Slack.
CREATE INDEX messages_by_place ON messages (channel, ts) WHERE ts IS NOT NULL;
-- When it was posted first, by our own clock.
ALTER TABLE messages ADD COLUMN posted_us INTEGER;

-- What a person wrote in the thread of a message, by its place in Slack.
CREATE TABLE comments (
    channel      TEXT NOT NULL,
    ts           TEXT NOT NULL,
    petition     TEXT NOT NULL REFERENCES petitions (name),
    author       TEXT NOT NULL,
    author_slack TEXT,
    author_name  TEXT NOT NULL,
    text         TEXT NOT NULL,
    at_us        INTEGER NOT NULL,
    PRIMARY KEY (channel, ts)
) STRICT;

-- Replies under messages: each says one thing, once, in the order of `seq`.
CREATE TABLE replies (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    petition   TEXT NOT NULL REFERENCES petitions (name),
    -- the message in whose thread it stands
    message    TEXT NOT NULL REFERENCES messages (id),
    -- 'approved:E-MAIL', 'granted', 'moved:END', 'closed', 'comment:CHANNEL:TS'
    subject    TEXT NOT NULL,
    ts         TEXT,
    next_us    INTEGER,
    attempt    TEXT,
    attempts   INTEGER NOT NULL,
    last_error TEXT,
    UNIQUE (message, subject)
) STRICT;
CREATE INDEX replies_due ON replies (next_us) WHERE next_us IS NOT NULL;
CREATE INDEX replies_in_order ON replies (message, seq) WHERE next_us IS NOT NULL;

-- One standing reminder of each reviewer, by their direct message with the bot.
CREATE TABLE reminders (
    channel     TEXT PRIMARY KEY,
    -- 'user:U…' or 'email:…', as in messages
    dest        TEXT NOT NULL,
    -- the message that reminded last, while it may have to change
    ts          TEXT,
    reminded_us INTEGER,
    -- when it was last looked at what waits
    looked_us   INTEGER NOT NULL,
    next_us     INTEGER,
    -- changes of what waits, and how many of them are shown
    wanted      INTEGER NOT NULL,
    sent        INTEGER NOT NULL,
    attempt     TEXT,
    attempts    INTEGER NOT NULL,
    last_error  TEXT
) STRICT;
CREATE INDEX reminders_due ON reminders (next_us) WHERE next_us IS NOT NULL;

-- What the remote space was last sent of a customer, by its row_hash, and what it calls that customer.
ALTER TABLE customers ADD COLUMN remote_hash BIGINT;
ALTER TABLE customers ADD COLUMN remote_name TEXT;

-- Petitions that a remote space decides. One row is one stream: what is owed to the space goes in order.
CREATE TABLE remote_petitions (
    petition    TEXT PRIMARY KEY REFERENCES petitions (name),
    -- its name there, once the space has told it
    remote_name TEXT UNIQUE,
    -- the last instant at which something happened to it: from then on it is looked at less and less often
    active_us   BIGINT NOT NULL,
    -- when something is due; while an attempt is under way, when that attempt is given up for dead; NULL: nothing to do
    next_us     BIGINT,
    attempt     TEXT,
    attempts    BIGINT NOT NULL,
    -- an earlier attempt at the call that is due may have reached the space
    unsure      BOOLEAN NOT NULL,
    failing_us  BIGINT,
    last_error  TEXT
);
CREATE INDEX remote_petitions_due ON remote_petitions (next_us) WHERE next_us IS NOT NULL;

-- What the space is told of a petition, in the order of `position`: first that it exists, then its claims.
CREATE TABLE remote_calls (
    petition  TEXT NOT NULL REFERENCES remote_petitions (petition),
    position  BIGINT NOT NULL,
    -- 'create', or a claim: 'approve', 'deny', 'revoke'
    kind      TEXT NOT NULL,
    actor     TEXT NOT NULL,
    reason    TEXT NOT NULL,
    length_us BIGINT,
    owed_us   BIGINT NOT NULL,
    done_us   BIGINT,
    -- what the space said when it did not take it
    refused   TEXT,
    PRIMARY KEY (petition, position)
);
CREATE INDEX remote_calls_owed ON remote_calls (petition, position) WHERE done_us IS NULL;

-- A petition that a remote space decides is granted exactly once, too.
CREATE UNIQUE INDEX leases_once_remote ON leases (petition) WHERE origin = 'remote';

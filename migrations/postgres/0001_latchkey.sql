-- Times are whole microseconds since 1970 (UTC), always bound, never the database's own "now".
-- Roles are '' where there are none, so that they can stand in a key.

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- When each schedule is due next; moving it on is how one of several replicas wins the tick.
CREATE TABLE schedules (
    name    TEXT PRIMARY KEY,
    next_us BIGINT NOT NULL
);

CREATE TABLE customers (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    name_key   TEXT NOT NULL,
    labels     JSONB NOT NULL,
    -- of name and labels, so that a sync reads one number a row to see what changed
    row_hash   BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    removed_us BIGINT
);
CREATE INDEX customers_by_key ON customers (name_key text_pattern_ops) WHERE removed_us IS NULL;

-- What a running sync found new or changed, until the whole source has been read.
CREATE TABLE customer_changes (
    id       TEXT PRIMARY KEY,
    name     TEXT NOT NULL,
    name_key TEXT NOT NULL,
    labels   JSONB NOT NULL,
    row_hash BIGINT NOT NULL
);

CREATE TABLE petitions (
    name             TEXT PRIMARY KEY,
    petitioner       TEXT NOT NULL,
    petitioner_slack TEXT,
    petitioner_name  TEXT NOT NULL,
    filed_by         TEXT NOT NULL,
    customer         TEXT NOT NULL,
    customer_name    TEXT NOT NULL,
    role             TEXT NOT NULL,
    reason           TEXT NOT NULL,
    length_us        BIGINT NOT NULL,
    rule             TEXT,
    -- the same words by the same person, folded: a repeat within a minute is the same petition
    same_key         TEXT NOT NULL,
    opened_us        BIGINT NOT NULL,
    pending_until_us BIGINT NOT NULL,
    state            TEXT NOT NULL,
    granted_us       BIGINT,
    granted_by       TEXT,
    until_us         BIGINT,
    closed_us        BIGINT,
    close_reason     TEXT,
    closed_by        TEXT,
    close_note       TEXT,
    version          BIGINT NOT NULL
);
CREATE INDEX petitions_open ON petitions (pending_until_us) WHERE state = 'open';
CREATE INDEX petitions_same ON petitions (same_key, opened_us);

CREATE TABLE claims (
    id          TEXT PRIMARY KEY,
    petition    TEXT NOT NULL REFERENCES petitions (name),
    kind        TEXT NOT NULL,
    maker       TEXT NOT NULL,
    maker_slack TEXT,
    maker_name  TEXT NOT NULL,
    note        TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    UNIQUE (petition, kind, maker)
);

CREATE TABLE accesses (
    id       TEXT PRIMARY KEY,
    person   TEXT NOT NULL,
    customer TEXT NOT NULL,
    role     TEXT NOT NULL,
    version  BIGINT NOT NULL,
    ends_us  BIGINT,
    UNIQUE (person, customer, role)
);

CREATE TABLE leases (
    id         TEXT PRIMARY KEY,
    access     TEXT NOT NULL REFERENCES accesses (id),
    -- 'space': a petition of our own; 'event': a signed event from outside
    origin     TEXT NOT NULL,
    petition   TEXT NOT NULL,
    person     TEXT NOT NULL,
    customer   TEXT NOT NULL,
    role       TEXT NOT NULL,
    starts_us  BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    warn_us    BIGINT,
    -- the time of the event from outside that last spoke for it
    said_us    BIGINT,
    ended_us   BIGINT,
    cause      TEXT
);
-- Every approved petition is granted exactly once.
CREATE UNIQUE INDEX leases_once ON leases (petition) WHERE origin = 'space';
CREATE INDEX leases_of_petition ON leases (petition);
CREATE INDEX leases_of_access ON leases (access, ended_us);
CREATE INDEX leases_of_person ON leases (person, customer) WHERE ended_us IS NULL;
CREATE INDEX leases_expiring ON leases (expires_us) WHERE ended_us IS NULL;
CREATE INDEX leases_warning ON leases (warn_us) WHERE warn_us IS NOT NULL AND ended_us IS NULL;

-- The strongest word heard from outside on each subject.
CREATE TABLE standings (
    subject TEXT PRIMARY KEY,
    rank    BIGINT NOT NULL,
    revoked BOOLEAN NOT NULL,
    end_us  BIGINT,
    lease   TEXT
);

-- One stream per access and provisioner: what it shall be told, and what it is known to have heard.
CREATE TABLE provisionings (
    access          TEXT NOT NULL REFERENCES accesses (id),
    provisioner     TEXT NOT NULL,
    wanted          TEXT NOT NULL,
    wanted_version  BIGINT NOT NULL,
    wanted_us       BIGINT NOT NULL,
    event           TEXT NOT NULL,
    applied         TEXT,
    applied_version BIGINT,
    applied_us      BIGINT,
    -- when it is due; while an attempt is under way, when that attempt is given up for dead; NULL: nothing to do
    next_us         BIGINT,
    attempt         TEXT,
    attempts        BIGINT NOT NULL,
    failing_us      BIGINT,
    last_error      TEXT,
    PRIMARY KEY (access, provisioner)
);
CREATE INDEX provisionings_due ON provisionings (provisioner, wanted, next_us) WHERE next_us IS NOT NULL;

-- Every message people are shown: what it is about and where it stands; its text is drawn from the truth when sent.
CREATE TABLE messages (
    id         TEXT PRIMARY KEY,
    petition   TEXT NOT NULL REFERENCES petitions (name),
    purpose    TEXT NOT NULL,
    -- 'channel:C…', 'user:U…', 'email:…' or 'group:S…'
    dest       TEXT NOT NULL,
    channel    TEXT,
    ts         TEXT,
    wanted     BIGINT NOT NULL,
    sent       BIGINT NOT NULL,
    next_us    BIGINT,
    attempt    TEXT,
    attempts   BIGINT NOT NULL,
    last_error TEXT,
    UNIQUE (petition, purpose, dest)
);
CREATE INDEX messages_due ON messages (next_us) WHERE next_us IS NOT NULL;

-- Signed requests already answered, by their signature, for as long as a replay of one would still be fresh.
CREATE TABLE answered (
    signature TEXT PRIMARY KEY,
    at_us     BIGINT NOT NULL,
    petition  TEXT
);
CREATE INDEX answered_by_age ON answered (at_us);

CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    email      TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    label      TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    revoked_us BIGINT
);

-- The record. Entries are written with the change they tell of, and chained a moment later in the order of `position`.
CREATE TABLE audit (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_us    BIGINT NOT NULL,
    event    TEXT NOT NULL,
    actor    TEXT NOT NULL,
    via      TEXT NOT NULL,
    petition TEXT,
    person   TEXT,
    customer TEXT,
    details  TEXT NOT NULL,
    position BIGINT UNIQUE,
    hash     TEXT
);
CREATE INDEX audit_unchained ON audit (seq) WHERE position IS NULL;
CREATE INDEX audit_of_petition ON audit (petition) WHERE petition IS NOT NULL;

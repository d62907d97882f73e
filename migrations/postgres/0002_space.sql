-- 'sync': the company's database; 'upload': put through the API; 'pull:NAME': brought by that [[pull]].
ALTER TABLE customers ADD COLUMN source TEXT NOT NULL DEFAULT 'sync';

-- Resources that are no customers.
CREATE TABLE resources (
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    name         TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    email        TEXT NOT NULL,
    alt_ids      JSONB NOT NULL,
    labels       JSONB NOT NULL,
    source       TEXT NOT NULL,
    changed_us   BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX resources_by_email ON resources (email) WHERE email <> '';

ALTER TABLE claims ADD COLUMN length_us BIGINT;
-- The trusted bot that brought it in its maker's name.
ALTER TABLE claims ADD COLUMN delegate TEXT;
-- What its maker's program wrote on it.
ALTER TABLE claims ADD COLUMN labels JSONB NOT NULL DEFAULT '{}';

ALTER TABLE petitions ADD COLUMN labels JSONB NOT NULL DEFAULT '{}';
-- The resource as it was given, where it is no customer.
ALTER TABLE petitions ADD COLUMN resource JSONB;
-- What the asker's program calls it: asking again with the same key is the same petition.
ALTER TABLE petitions ADD COLUMN client_key TEXT;
CREATE UNIQUE INDEX petitions_by_key ON petitions (filed_by, client_key) WHERE client_key IS NOT NULL;

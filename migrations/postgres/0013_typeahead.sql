-- Typeahead: customers by any part of their names, and those that somebody asked for lately.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX customers_by_part ON customers USING gin (name_key gin_trgm_ops) WHERE removed_us IS NULL;
CREATE INDEX customers_by_id ON customers (id text_pattern_ops) WHERE removed_us IS NULL;

CREATE INDEX petitions_of_petitioner ON petitions (petitioner, customer, name);

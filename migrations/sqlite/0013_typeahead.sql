-- Typeahead: customers by any part of their names, and those that somebody asked for lately.

-- Names as they were when they were given. A name that is no more leads to its customer still, so whoever searches here
-- looks again at what the customer is called now. Nothing is ever taken out: customers stay, and few change their names.
CREATE VIRTUAL TABLE customer_parts USING fts5 (name_key, id UNINDEXED, tokenize = 'trigram');
INSERT INTO customer_parts (name_key, id) SELECT name_key, id FROM customers;

CREATE TRIGGER customers_named AFTER INSERT ON customers BEGIN
    INSERT INTO customer_parts (name_key, id) VALUES (new.name_key, new.id);
END;
CREATE TRIGGER customers_renamed AFTER UPDATE OF name_key ON customers WHEN new.name_key <> old.name_key BEGIN
    INSERT INTO customer_parts (name_key, id) VALUES (new.name_key, new.id);
END;

CREATE INDEX petitions_of_petitioner ON petitions (petitioner, customer, name);

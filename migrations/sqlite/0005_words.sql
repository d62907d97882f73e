-- What people list: who has access to a customer now, and what somebody waits for.

CREATE INDEX leases_of_customer ON leases (customer, expires_us) WHERE ended_us IS NULL;
CREATE INDEX petitions_waiting ON petitions (petitioner, name) WHERE state = 'open';

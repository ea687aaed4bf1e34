-- What the repair of the first landing needed. Each part says what it is for.

-- A refusal names the client id that was asked for ('' is none) and, where the
-- cause has an object, that: about is JSON. A row of the audit has the client id
-- in its hash; those from before have none.
ALTER TABLE audit ADD COLUMN client_id TEXT;

CREATE TABLE refused (
    minute INTEGER NOT NULL,
    broker TEXT NOT NULL,
    subject TEXT NOT NULL,
    address TEXT NOT NULL,
    cause TEXT NOT NULL,
    client_id TEXT NOT NULL,
    about TEXT,
    count INTEGER NOT NULL,
    PRIMARY KEY (minute, broker, subject, address, cause, client_id)
) STRICT, WITHOUT ROWID;

INSERT INTO refused SELECT minute, broker, subject, address, cause, '', NULL, count FROM refusal;
DROP TABLE refusal;
ALTER TABLE refused RENAME TO refusal;

-- What a tenant's credentials may do if no rule says so: all of its namespaces,
-- or nothing.
ALTER TABLE tenant ADD COLUMN default_rights TEXT NOT NULL DEFAULT 'namespaces'
    CHECK (default_rights IN ('namespaces', 'none'));

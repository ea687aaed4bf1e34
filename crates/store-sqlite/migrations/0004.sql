-- What the repair of the first landing needed. Each part says what it is for.

-- A refusal names the client id that was asked for ('' is none) and, where the
-- cause has an object, that: about is JSON.
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

-- The audit's two chains: acts (0), shortened only by `audit prune`, and refusals
-- (1), whose oldest rows are cut off. What a store has from before is one chain,
-- that of the acts, with the hashes it has (format 1).
ALTER TABLE audit ADD COLUMN chain INTEGER NOT NULL DEFAULT 0 CHECK (chain IN (0, 1));
ALTER TABLE audit ADD COLUMN format INTEGER NOT NULL DEFAULT 1;

CREATE INDEX audit_of_chain ON audit (chain, id);

-- The last row of each chain that was cut off, the last one that there is, and how
-- many are between them. staged counts the refusals that are still summed up.
CREATE TABLE audit_chain (
    chain INTEGER NOT NULL PRIMARY KEY,
    anchor INTEGER NOT NULL,
    anchor_hash BLOB NOT NULL,
    head INTEGER NOT NULL,
    head_hash BLOB NOT NULL,
    rows INTEGER NOT NULL,
    staged INTEGER NOT NULL
) STRICT;

-- The last number that was given, so that a row missing at the end stays missed.
INSERT INTO audit_chain
    SELECT 0, last, hash, seq,
        coalesce((SELECT hash FROM audit WHERE id = seq),
                 CASE WHEN last = seq THEN hash ELSE zeroblob(32) END),
        (SELECT count(*) FROM audit), 0
    FROM (SELECT coalesce((SELECT last FROM audit_anchor), 0) AS last,
              coalesce((SELECT hash FROM audit_anchor), zeroblob(32)) AS hash,
              coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0) AS seq);
INSERT INTO audit_chain
    SELECT 1, 0, zeroblob(32), 0, zeroblob(32), 0,
        coalesce((SELECT sum(count) FROM refusal), 0);

DROP TABLE audit_anchor;

-- Which things an application makes that nobody made: keys like `pattern`, `max` of
-- them ever, and so many in one second. One row for each application that does so.
CREATE TABLE auto_registration (
    application INTEGER PRIMARY KEY REFERENCES credential (id) ON DELETE CASCADE,
    max INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    registered INTEGER NOT NULL,
    second INTEGER NOT NULL,
    in_second INTEGER NOT NULL
) STRICT;

INSERT INTO auto_registration (application, max, pattern, registered, second, in_second)
    SELECT id, 1000, '*', 0, 0, 0 FROM credential
    WHERE kind = 'application' AND auto_register = 1;
-- A row of stored_session is a use of a client id: since when it is used in that
-- tenant (of those from before that is not known, so they count as used for
-- long), and whether the host may keep a session under it. There is an end of
-- rows: of one credential, and of those without a session in all.
ALTER TABLE stored_session ADD COLUMN first_used_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stored_session ADD COLUMN is_stored INTEGER NOT NULL DEFAULT 1;

DROP INDEX stored_session_of_credential;
CREATE INDEX stored_session_of_credential
    ON stored_session (credential, is_stored, first_used_at);
DROP INDEX stored_session_of_nobody;
CREATE INDEX stored_session_of_nobody ON stored_session (tenant, first_used_at)
    WHERE holder = 'unauthenticated';
CREATE INDEX stored_session_by_use ON stored_session (last_used_at);

ALTER TABLE session_change ADD COLUMN rows INTEGER NOT NULL DEFAULT 0;
UPDATE session_change SET rows = (SELECT count(*) FROM stored_session);

DROP TRIGGER stored_session_taken;
CREATE TRIGGER stored_session_taken AFTER INSERT ON stored_session BEGIN
    UPDATE session_change SET number = number + 1, rows = rows + 1 WHERE id = 1;
END;

DROP TRIGGER stored_session_dropped;
CREATE TRIGGER stored_session_dropped AFTER DELETE ON stored_session BEGIN
    UPDATE session_change SET number = number + 1, rows = rows - 1 WHERE id = 1;
END;

DROP TRIGGER stored_session_changed;
CREATE TRIGGER stored_session_changed
AFTER UPDATE OF client_id, holder, credential, username, tenant, is_stored ON stored_session
BEGIN
    UPDATE session_change SET number = number + 1 WHERE id = 1;
END;

-- What is left of rows that were not used for long, where the host may have a
-- session still: the first eight bytes of the client id's hash, and whose it was
-- (0 is a client that proved nothing, NULL one that is no more).
CREATE TABLE pruned_session (
    client_id INTEGER PRIMARY KEY,
    credential INTEGER
) STRICT;

-- What tells a live session's client id from others, also where that is secret.
ALTER TABLE presence ADD COLUMN tie BLOB;
CREATE INDEX presence_by_tie ON presence (tie);

-- What the audit will say of a request to kick: that it was done once a broker
-- answers (answered is 1), that it was refused once whoever asked gives up (2).
ALTER TABLE kick_request ADD COLUMN actor TEXT;
ALTER TABLE kick_request ADD COLUMN subject TEXT;
ALTER TABLE kick_request ADD COLUMN about TEXT;

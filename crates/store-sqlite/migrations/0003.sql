-- How often it changed whose stored sessions are. The change log does not tell of
-- that: logins bring it about, at every broker. Whoever remembers who holds a
-- client id compares this number.
CREATE TABLE session_change (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;

INSERT INTO session_change VALUES (1, 0);

CREATE TRIGGER stored_session_taken AFTER INSERT ON stored_session BEGIN
    UPDATE session_change SET number = number + 1 WHERE id = 1;
END;

CREATE TRIGGER stored_session_dropped AFTER DELETE ON stored_session BEGIN
    UPDATE session_change SET number = number + 1 WHERE id = 1;
END;

-- Not that it was used.
CREATE TRIGGER stored_session_changed
AFTER UPDATE OF client_id, holder, credential, username, tenant ON stored_session BEGIN
    UPDATE session_change SET number = number + 1 WHERE id = 1;
END;

-- A new row of stored_session is no change: what is remembered of a client id is
-- remembered only where there is a row. Since this version is_stored may be 2: an
-- unauthenticated client used the id in the same tenant after the credential that
-- is recorded.
DROP TRIGGER stored_session_taken;
CREATE TRIGGER stored_session_taken AFTER INSERT ON stored_session BEGIN
    UPDATE session_change SET rows = rows + 1 WHERE id = 1;
END;

-- How many rows pruned_session has, of which there is a limit; and what changes in
-- them is a change.
ALTER TABLE session_change ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
UPDATE session_change SET pruned = (SELECT count(*) FROM pruned_session);

CREATE TRIGGER pruned_session_added AFTER INSERT ON pruned_session BEGIN
    UPDATE session_change SET pruned = pruned + 1 WHERE id = 1;
END;

CREATE TRIGGER pruned_session_removed AFTER DELETE ON pruned_session BEGIN
    UPDATE session_change SET number = number + 1, pruned = pruned - 1 WHERE id = 1;
END;

CREATE TRIGGER pruned_session_changed AFTER UPDATE ON pruned_session BEGIN
    UPDATE session_change SET number = number + 1 WHERE id = 1;
END;

-- A request to kick holds the hash of a client id, which may be a secret. Those
-- from before are of no use to a broker that starts.
DELETE FROM kick_request;

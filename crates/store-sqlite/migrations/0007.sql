-- What imports made, with the digests of what their sources said of each part, so
-- that a later import changes only what its source has changed since. secret is the
-- one that the import stored, and no reference: the row stays when it is replaced.
CREATE TABLE credential_import (
    credential INTEGER PRIMARY KEY REFERENCES credential (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    parts BLOB NOT NULL,
    secret INTEGER
) STRICT;

CREATE TABLE role_import (
    tenant TEXT NOT NULL,
    role TEXT NOT NULL,
    source TEXT NOT NULL,
    parts BLOB NOT NULL,
    PRIMARY KEY (tenant, role),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

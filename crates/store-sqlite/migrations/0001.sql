-- Instants are milliseconds since 1970-01-01T00:00:00Z, flags are 0 or 1.
-- AUTOINCREMENT where a number that was given out must never name another row.

CREATE TABLE setting (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tenant (
    id TEXT NOT NULL PRIMARY KEY,
    authentication TEXT NOT NULL,
    subscribe TEXT NOT NULL,
    client_id_prefix TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Tenants that admit clients without a login: asked at every such CONNECT.
CREATE INDEX tenant_open ON tenant (id) WHERE authentication <> 'required';

-- Whose prefix a client id begins with: asked at every CONNECT.
CREATE UNIQUE INDEX tenant_by_prefix ON tenant (client_id_prefix)
    WHERE client_id_prefix IS NOT NULL;

CREATE TABLE namespace (
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    filter TEXT NOT NULL,
    PRIMARY KEY (tenant, position)
) STRICT, WITHOUT ROWID;

-- A rule is allow or deny (effect), publish, subscribe or both (action) and a
-- pattern; without a group it holds for every holder of the role.
CREATE TABLE role (
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE role_rule (
    tenant TEXT NOT NULL,
    role TEXT NOT NULL,
    position INTEGER NOT NULL,
    effect TEXT NOT NULL,
    action TEXT NOT NULL,
    pattern TEXT NOT NULL,
    max_qos INTEGER,
    no_retain INTEGER NOT NULL,
    group_path TEXT,
    PRIMARY KEY (tenant, role, position),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- The schemes that were added, field by field; the built-in ones are code. kind
-- is flag, list, number or text; only a list has more than one position.
CREATE TABLE scheme_field (
    scheme TEXT NOT NULL,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (scheme, key, position)
) STRICT, WITHOUT ROWID;

-- A credential without a tenant is an operator. bound_to is the hash of the one
-- client id that it admits, as far as its rule or its tie says so.
CREATE TABLE credential (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    tenant TEXT REFERENCES tenant (id) ON DELETE CASCADE,
    scheme TEXT NOT NULL,
    state TEXT NOT NULL,
    ever_used INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    group_path TEXT,
    description TEXT,
    client_id_rule TEXT NOT NULL,
    client_id_tie BLOB,
    bound_to BLOB,
    external_identity INTEGER NOT NULL,
    not_before INTEGER,
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_reason TEXT
) STRICT;

CREATE INDEX credential_of_tenant ON credential (tenant, name);
CREATE INDEX credential_of_scheme ON credential (scheme, tenant);
CREATE INDEX credential_bound_to ON credential (bound_to) WHERE bound_to IS NOT NULL;

-- What recognises a secret: the digest of a generated one or the PHC string
-- of a chosen one. Of two secrets of a credential the newer has the higher id.
CREATE TABLE secret (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    digest BLOB UNIQUE,
    phc TEXT,
    ends_at INTEGER,
    until_used INTEGER NOT NULL DEFAULT 0,
    CHECK ((digest IS NULL) <> (phc IS NULL))
) STRICT;

CREATE INDEX secret_of_credential ON secret (credential);

-- tenant is the credential's, so that only roles that exist can be held.
CREATE TABLE credential_role (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    tenant TEXT NOT NULL,
    PRIMARY KEY (credential, role),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX credential_of_role ON credential_role (tenant, role);

CREATE TABLE credential_rule (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    effect TEXT NOT NULL,
    action TEXT NOT NULL,
    pattern TEXT NOT NULL,
    max_qos INTEGER,
    no_retain INTEGER NOT NULL,
    PRIMARY KEY (credential, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE attribute (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (credential, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX attribute_by_value ON attribute (key, value);

-- kind says which of number and tenant is filled: credential, everything,
-- kick, tenant.
CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER,
    tenant TEXT
) STRICT;

-- What is not about one credential or one request; found as it is written here.
CREATE INDEX change_of_policy ON change (seq) WHERE kind NOT IN ('credential', 'kick');

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    cause TEXT,
    address TEXT,
    count INTEGER NOT NULL,
    before TEXT,
    after TEXT,
    hash BLOB NOT NULL
) STRICT;

CREATE INDEX audit_of_subject ON audit (subject, id);
CREATE INDEX audit_by_time ON audit (time);

-- Where the chain begins once older rows were pruned: their last id and hash.
CREATE TABLE audit_anchor (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    last INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;

-- Refused logins of minutes that are still summed up; '' is no address.
CREATE TABLE refusal (
    minute INTEGER NOT NULL,
    broker TEXT NOT NULL,
    subject TEXT NOT NULL,
    address TEXT NOT NULL,
    cause TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (minute, broker, subject, address, cause)
) STRICT, WITHOUT ROWID;

-- Live sessions. The credential may be gone already, so it is no reference.
CREATE TABLE presence (
    broker TEXT NOT NULL,
    session INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    username TEXT,
    credential INTEGER,
    tenant TEXT,
    address TEXT,
    protocol INTEGER NOT NULL,
    connected_at INTEGER NOT NULL,
    authenticated INTEGER NOT NULL,
    listener INTEGER,
    stored INTEGER NOT NULL,
    PRIMARY KEY (broker, session)
) STRICT, WITHOUT ROWID;

CREATE INDEX presence_of_tenant ON presence (tenant);

-- Who left a stored session behind, by the hash of its client id, which may be a
-- secret. holder is credential, former or unauthenticated; where the credential
-- is gone or revoked, it is former, too.
CREATE TABLE stored_session (
    client_id BLOB NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    credential INTEGER REFERENCES credential (id) ON DELETE SET NULL,
    username TEXT,
    tenant TEXT,
    last_used_at INTEGER NOT NULL,
    broker TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX stored_session_of_credential ON stored_session (credential);
CREATE INDEX stored_session_of_nobody ON stored_session (tenant)
    WHERE holder = 'unauthenticated';

-- Either a client id or a broker and its session.
CREATE TABLE kick_request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    client_id TEXT,
    broker TEXT,
    session INTEGER,
    answered INTEGER NOT NULL DEFAULT 0,
    CHECK ((client_id IS NULL) = (broker IS NOT NULL AND session IS NOT NULL))
) STRICT;

-- People, applications, things and tokens.

-- When people are locked out; NULL is as the settings say.
ALTER TABLE tenant ADD COLUMN lockout TEXT;

-- kind is application, bearer, device, thing or user. A device without a tenant
-- is an operator; a user has no tenant either. A thing has the secrets and the
-- roles of its application and none of its own. org_admin and auto_register are
-- an application's.
ALTER TABLE credential ADD COLUMN kind TEXT NOT NULL DEFAULT 'device';
ALTER TABLE credential
    ADD COLUMN application INTEGER REFERENCES credential (id) ON DELETE CASCADE;
ALTER TABLE credential ADD COLUMN org_admin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN auto_register INTEGER NOT NULL DEFAULT 0;

CREATE INDEX credential_of_application ON credential (application)
    WHERE application IS NOT NULL;
-- Found by queries that repeat its condition.
CREATE INDEX credential_of_kind ON credential (kind, tenant, name) WHERE kind <> 'device';

-- The first characters of a secret that serves as a name.
ALTER TABLE secret ADD COLUMN hint TEXT;

-- What a credential of kind user has besides. The seed is sealed. last_tenant may
-- name a tenant that is gone or not granted any more.
CREATE TABLE person (
    credential INTEGER PRIMARY KEY REFERENCES credential (id) ON DELETE CASCADE,
    seed BLOB,
    is_confirmed INTEGER NOT NULL,
    last_step INTEGER,
    last_tenant TEXT
) STRICT;

-- Either a role or to administer; with a group, within that alone.
CREATE TABLE person_grant (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    group_path TEXT,
    role TEXT,
    org_admin INTEGER NOT NULL,
    PRIMARY KEY (credential, tenant),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE,
    CHECK ((role IS NULL) = (org_admin = 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX person_grant_of_role ON person_grant (tenant, role);

CREATE TABLE recovery_code (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    digest BLOB NOT NULL
) STRICT;

CREATE INDEX recovery_code_of_credential ON recovery_code (credential);

-- What failed, by folded e-mail address. known is whether a user has it; of those
-- that nobody has, a bounded number is kept.
CREATE TABLE lockout (
    name TEXT NOT NULL PRIMARY KEY,
    known INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    locked_until INTEGER,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX lockout_by_time ON lockout (known, updated_at);

-- The private half is sealed.
CREATE TABLE token_key (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    public BLOB NOT NULL,
    private BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX token_key_of_tenant ON token_key (tenant, created_at);

CREATE TABLE token (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    role TEXT NOT NULL,
    bearer INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    issuer INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    key TEXT NOT NULL REFERENCES token_key (id) ON DELETE CASCADE,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX token_of_role ON token (tenant, role);
CREATE INDEX token_of_bearer ON token (bearer);
CREATE INDEX token_of_issuer ON token (issuer);
CREATE INDEX token_of_key ON token (key);
CREATE INDEX token_by_end ON token (expires_at);

-- The things that a token is limited to, by name: were they references, a token
-- whose last thing is deleted would be limited no more.
CREATE TABLE token_thing (
    token TEXT NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    thing TEXT NOT NULL,
    PRIMARY KEY (token, position)
) STRICT, WITHOUT ROWID;

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

-- A credential may be in several groups: position is the order in which it joined
-- them.
CREATE TABLE credential_group (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (credential, position)
) STRICT, WITHOUT ROWID;

INSERT INTO credential_group (credential, position, path)
    SELECT id, 0, group_path FROM credential WHERE group_path IS NOT NULL;
ALTER TABLE credential DROP COLUMN group_path;
CREATE INDEX credential_group_by_path ON credential_group (path);

-- Those that are stopped; they are few, as a rule.
CREATE INDEX credential_stopped ON credential (state) WHERE state IN ('Suspended', 'Revoked');

-- The roles that groups hold. A group has no row of its own: it is made by use.
CREATE TABLE group_role (
    tenant TEXT NOT NULL,
    path TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (tenant, path, role),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX group_role_of_role ON group_role (tenant, role);

-- The group that an entry of kind group is about.
ALTER TABLE change ADD COLUMN group_path TEXT;

-- What is not about one credential, one group or one request; found as it is
-- written here.
DROP INDEX change_of_policy;
CREATE INDEX change_of_policy ON change (seq) WHERE kind NOT IN ('credential', 'group', 'kick');

-- Whether the platform gave a grant, and so handed the user over to the tenant's
-- administrators. Until now nobody else could.
ALTER TABLE person_grant ADD COLUMN handed_over INTEGER NOT NULL DEFAULT 1;

-- The audit is listed in order of time, also that of one subject.
DROP INDEX audit_of_subject;
CREATE INDEX audit_of_subject ON audit (subject, time);

-- How names begin that a tenant's administrators give where names stay as they are.
ALTER TABLE tenant ADD COLUMN name_prefix TEXT;

-- Names that are no tenant's although they hold an @, as imports keep them, by what
-- stands behind it: it names no tenant from then on, and they no user.
CREATE INDEX credential_kept_name ON credential (
    lower(substr(name, length(rtrim(name, replace(name, '@', ''))) + 1)),
    name COLLATE NOCASE
) WHERE kind = 'device' AND instr(name, '@') > 0
    AND substr(name, length(rtrim(name, replace(name, '@', ''))) + 1) <> tenant;

-- Logins that are recorded, and whose clients the host may not have let in: under their
-- client ids it may have kept what was there before.
CREATE TABLE arriving_session (
    client_id BLOB PRIMARY KEY,
    broker TEXT NOT NULL,
    is_own INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX arriving_session_of_broker ON arriving_session (broker);

-- What is old goes, however many of a day are left.
CREATE INDEX kick_request_by_time ON kick_request (at);

-- An operator has a kind of its own: what has no tenant is not one by that alone.
UPDATE credential SET kind = 'operator' WHERE kind = 'device' AND tenant IS NULL;

-- Uses of topics that brokers denied, beside refused logins: act says which of them a
-- row is about, and topic of a use which topic or filter ('' of a login).
ALTER TABLE audit ADD COLUMN topic TEXT;

CREATE TABLE refused (
    minute INTEGER NOT NULL,
    broker TEXT NOT NULL,
    subject TEXT NOT NULL,
    address TEXT NOT NULL,
    cause TEXT NOT NULL,
    client_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    act TEXT NOT NULL,
    about TEXT,
    count INTEGER NOT NULL,
    PRIMARY KEY (minute, broker, subject, address, cause, client_id, topic, act)
) STRICT, WITHOUT ROWID;

INSERT INTO refused
    SELECT minute, broker, subject, address, cause, client_id, '', 'login', about, count
    FROM refusal;
DROP TABLE refusal;
ALTER TABLE refused RENAME TO refusal;

-- The sessions of one credential.
CREATE INDEX presence_of_credential ON presence (credential) WHERE credential IS NOT NULL;

-- Users who administer the whole store, and grants that let one see a tenant and no
-- more. A grant is one of role, org_admin and viewer; with a group, within that alone.
ALTER TABLE person ADD COLUMN platform_admin INTEGER NOT NULL DEFAULT 0;

CREATE TABLE granted (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    group_path TEXT,
    role TEXT,
    org_admin INTEGER NOT NULL,
    viewer INTEGER NOT NULL DEFAULT 0,
    handed_over INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (credential, tenant),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE,
    CHECK ((role IS NOT NULL) + (org_admin = 1) + (viewer = 1) = 1)
) STRICT, WITHOUT ROWID;

INSERT INTO granted (credential, tenant, group_path, role, org_admin, handed_over)
    SELECT credential, tenant, group_path, role, org_admin, handed_over FROM person_grant;
DROP TABLE person_grant;
ALTER TABLE granted RENAME TO person_grant;

CREATE INDEX person_grant_of_role ON person_grant (tenant, role);

-- The users of a tenant, in the order in which they are listed.
CREATE INDEX person_grant_of_tenant ON person_grant (tenant, credential);

-- What programs present to the service. tenant and viewer are the scope: no tenant is
-- the platform. owner is a user, whose rights it never exceeds; parent is the token that
-- it was made with, and no reference: with it, its children are removed.
CREATE TABLE api_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    tenant TEXT REFERENCES tenant (id) ON DELETE CASCADE,
    viewer INTEGER NOT NULL,
    owner INTEGER REFERENCES credential (id) ON DELETE CASCADE,
    parent INTEGER,
    created_by TEXT NOT NULL,
    description TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER,
    CHECK (viewer = 0 OR tenant IS NOT NULL)
) STRICT;

CREATE INDEX api_token_of_tenant ON api_token (tenant, id);
CREATE INDEX api_token_of_owner ON api_token (owner, id);
CREATE INDEX api_token_of_parent ON api_token (parent) WHERE parent IS NOT NULL;
CREATE INDEX api_token_by_end ON api_token (expires_at);

-- Users who are signed in at the service.
CREATE TABLE web_session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    address TEXT,
    -- Where it works since it switched there. It gives no right in it.
    tenant TEXT
) STRICT;

CREATE INDEX web_session_of_credential ON web_session (credential, id);
CREATE INDEX web_session_by_use ON web_session (last_used_at);

-- The brokers that use the store, as each describes itself when it starts. Of those
-- of earlier versions only that they had sessions is known.
CREATE TABLE broker (
    name TEXT PRIMARY KEY,
    host TEXT,
    version TEXT,
    plugin_version TEXT,
    since INTEGER,
    last_seen INTEGER NOT NULL,
    options TEXT
) STRICT, WITHOUT ROWID;

INSERT INTO broker (name, last_seen)
    SELECT broker, max(connected_at) FROM presence GROUP BY broker;

-- Certificates that stand for credentials, by the SHA-256 of each. From until on it counts
-- no more; of one whose fingerprint alone was given, not_before and not_after are unknown.
CREATE TABLE certificate (
    fingerprint BLOB PRIMARY KEY,
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    not_before INTEGER,
    not_after INTEGER,
    until INTEGER,
    added_at INTEGER NOT NULL,
    CHECK ((not_before IS NULL) = (not_after IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX certificate_of_credential ON certificate (credential, added_at, fingerprint);

-- Hooks of brokers of other makers. source_ranges are the addresses that requests come
-- from, divided by blanks; kick_login is sealed; vhosts are RabbitMQ's virtual hosts, one
-- a line.
CREATE TABLE hook (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    tenant TEXT REFERENCES tenant (id) ON DELETE CASCADE,
    source_ranges TEXT NOT NULL,
    digest BLOB NOT NULL,
    kick_url TEXT,
    kick_login BLOB,
    vhosts TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    CHECK (kick_login IS NULL OR kick_url IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX hook_of_tenant ON hook (tenant) WHERE tenant IS NOT NULL;

-- Authorities (CAs) of tenants: what they sign names credentials of their tenant. key is
-- the public key, which alone proves that one signed a certificate; key_digest says that
-- no two have the same. key_id and signer are hashes of the identifier of the key and of
-- the name, by which an authority is found. subject is for people.
CREATE TABLE certificate_authority (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint BLOB NOT NULL UNIQUE,
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key BLOB NOT NULL,
    key_digest BLOB NOT NULL UNIQUE,
    key_id BLOB,
    signer BLOB NOT NULL,
    identity TEXT NOT NULL,
    pattern TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    added_at INTEGER NOT NULL
) STRICT;

CREATE INDEX certificate_authority_of_tenant ON certificate_authority (tenant, id);
CREATE INDEX certificate_authority_by_signer ON certificate_authority (signer, id);
CREATE INDEX certificate_authority_by_key_id ON certificate_authority (key_id, id)
    WHERE key_id IS NOT NULL;

-- Client ids and networks whose clients are refused. client_id is the hash of one; with a
-- tenant, its principals alone are. shown is what people are shown.
CREATE TABLE ban (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    network TEXT,
    client_id BLOB,
    tenant TEXT REFERENCES tenant (id) ON DELETE CASCADE,
    shown TEXT NOT NULL,
    until INTEGER,
    reason TEXT,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    CHECK ((network IS NULL) <> (client_id IS NULL)),
    CHECK (network IS NULL OR tenant IS NULL)
) STRICT;

CREATE UNIQUE INDEX ban_of_network ON ban (network) WHERE network IS NOT NULL;
CREATE UNIQUE INDEX ban_of_client_id ON ban (client_id, coalesce(tenant, ''))
    WHERE client_id IS NOT NULL;
CREATE INDEX ban_of_tenant ON ban (tenant, id) WHERE tenant IS NOT NULL;
CREATE INDEX ban_by_end ON ban (until) WHERE until IS NOT NULL;

-- Whom no ban is to keep out by mistake.
CREATE INDEX person_of_platform ON person (credential) WHERE platform_admin = 1;

-- Brokers keep bans by themselves, and an issuer's keys end no session; found as it is
-- written here, without a list, which SQLite would build anew for each row.
DROP INDEX change_of_policy;
CREATE INDEX change_of_policy ON change (seq)
    WHERE kind <> 'ban' AND kind <> 'credential' AND kind <> 'group'
        AND kind <> 'issuer-keys' AND kind <> 'kick';
CREATE INDEX change_of_ban ON change (seq) WHERE kind = 'ban';

-- Issuers of others, who sign tokens for credentials of a tenant. issuer and audience are
-- what its tokens say of who issued them and whom they are for; keys is a JWK Set.
CREATE TABLE issuer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    audience TEXT NOT NULL,
    algorithms TEXT NOT NULL,
    identity TEXT NOT NULL,
    role_claim TEXT,
    keys TEXT NOT NULL,
    keys_at INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    UNIQUE (issuer, audience)
) STRICT;

CREATE INDEX issuer_of_tenant ON issuer (tenant, id);

-- Which role a word of the claim role_claim means. tenant is the issuer's, so that only
-- roles that exist are meant.
CREATE TABLE issuer_role (
    issuer INTEGER NOT NULL REFERENCES issuer (id) ON DELETE CASCADE,
    word TEXT NOT NULL,
    tenant TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (issuer, word),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX issuer_role_of_role ON issuer_role (tenant, role);

-- Tokens of issuers that were revoked, by the claim jti.
CREATE TABLE issuer_revocation (
    issuer INTEGER NOT NULL REFERENCES issuer (id) ON DELETE CASCADE,
    token TEXT NOT NULL,
    revoked_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, token)
) STRICT, WITHOUT ROWID;

-- Where an issuer's keys are fetched, and what came of it: when that last went well, when
-- it was last tried, and what went wrong then. asked counts how often administrators asked
-- for it, answered how many of those a service has done. max_age is in seconds.
CREATE TABLE issuer_source (
    issuer INTEGER PRIMARY KEY REFERENCES issuer (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    allow_private INTEGER NOT NULL,
    max_age INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    fetched_at INTEGER,
    tried_at INTEGER,
    problem TEXT,
    asked INTEGER NOT NULL,
    answered INTEGER NOT NULL
) STRICT;

-- Which devices authorities and issuers make of those that they name, and how many they
-- made: ever, and in the last second that they made any in. With the role that such a
-- device is given, this goes, and none is made any more.
CREATE TABLE device_registration (
    id INTEGER PRIMARY KEY,
    authority INTEGER UNIQUE REFERENCES certificate_authority (id) ON DELETE CASCADE,
    issuer INTEGER UNIQUE REFERENCES issuer (id) ON DELETE CASCADE,
    tenant TEXT NOT NULL,
    role TEXT NOT NULL,
    max INTEGER NOT NULL,
    registered INTEGER NOT NULL,
    second INTEGER NOT NULL,
    in_second INTEGER NOT NULL,
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE,
    CHECK ((authority IS NULL) <> (issuer IS NULL))
) STRICT;

CREATE INDEX device_registration_of_role ON device_registration (tenant, role);

-- The names of all devices that were registered so. One that is no credential any more
-- was deleted, and is not registered again.
CREATE TABLE registered_name (
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- What a tenant, a holder of a role and a credential may, on each broker: words like
-- payload=1000, divided by blanks.
ALTER TABLE tenant ADD COLUMN limits TEXT;
ALTER TABLE role ADD COLUMN limits TEXT;
ALTER TABLE credential ADD COLUMN limits TEXT;

-- Machines of brokers that keep a replica of this store. is_whole: told of all tenants,
-- else of those in follower_tenant. position and last_seen are what it said last,
-- as are schema and waiting, how much it has to hand back. machine is the public key of its
-- machine, once it has shown one. handed_seq is up to where was judged what the replica with
-- handed_stamp handed back, handed_audit up to which row of its audit refusals were told;
-- refused counts what was refused.
CREATE TABLE follower (
    name TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    is_whole INTEGER NOT NULL,
    era INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    position INTEGER,
    last_seen INTEGER,
    handed_stamp INTEGER,
    handed_seq INTEGER,
    handed_audit INTEGER NOT NULL DEFAULT 0,
    schema INTEGER,
    waiting INTEGER,
    refused INTEGER NOT NULL DEFAULT 0,
    machine BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE follower_tenant (
    follower TEXT NOT NULL REFERENCES follower (name) ON DELETE CASCADE,
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    PRIMARY KEY (follower, tenant)
) STRICT, WITHOUT ROWID;

CREATE INDEX follower_tenant_of_tenant ON follower_tenant (tenant);

-- With a tenant, what a follower was told of it goes.
CREATE TRIGGER follower_tenant_removed AFTER DELETE ON follower_tenant BEGIN
    UPDATE follower SET era = era + 1 WHERE name = OLD.follower;
END;

-- Which objects changed, for followers; written while there are any. number, tenant and
-- name tell an object of its kind from others, and tenant whose it is, as far as the row
-- that changed says. stamp tells an entry from one of the same number in a copy of this
-- store that went another way. The last entry stays for ever, so that the next one has a
-- new number without AUTOINCREMENT, for which SQLite would write down its last number with
-- each login, where there is no follower, too.
CREATE TABLE object_change (
    seq INTEGER PRIMARY KEY,
    stamp INTEGER NOT NULL DEFAULT (random()),
    at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    kind TEXT NOT NULL,
    number INTEGER,
    tenant TEXT,
    name TEXT
) STRICT;

CREATE TRIGGER object_change_cut AFTER INSERT ON object_change BEGIN
    DELETE FROM object_change WHERE seq <= NEW.seq - 100000;
END;

-- So that there is an entry that a snapshot can begin at.
CREATE TRIGGER follower_begins AFTER INSERT ON follower BEGIN
    INSERT INTO object_change (kind) VALUES ('');
END;

-- What this store follows, if it is a replica: the centre, the place in its log up to
-- which it is here, and when the centre last answered. last_seq is the last number that
-- hand_back gave out; stamp tells its numbers from those of another file. is_taking is 1
-- within transactions that take what the centre tells, and 0 otherwise.
CREATE TABLE replica (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,
    place TEXT,
    contact_at INTEGER,
    stamp INTEGER NOT NULL DEFAULT (random()),
    last_seq INTEGER NOT NULL DEFAULT 0,
    is_taking INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What the broker wrote to this replica, for the centre to judge. kind says what; number
-- is a credential, or the secret that ended; name is a user, or a name that no user has.
-- value is the credential of a secret, the generation of a tie, a count of failures. A
-- count grows until it is sent. What was judged stays until the replica is at known_from
-- in the log of the centre, which tells of it from there on. SQLite does not number the
-- rows: it would write down its last number with each login, where no row is made, too.
CREATE TABLE hand_back (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    number INTEGER,
    name TEXT,
    value INTEGER,
    client_id BLOB,
    at INTEGER NOT NULL,
    is_sent INTEGER NOT NULL DEFAULT 0,
    known_from INTEGER
) STRICT;

CREATE INDEX hand_back_of_number ON hand_back (kind, number) WHERE number IS NOT NULL;
CREATE INDEX hand_back_of_name ON hand_back (kind, name) WHERE name IS NOT NULL;
CREATE INDEX hand_back_to_send ON hand_back (seq) WHERE known_from IS NULL;
CREATE INDEX hand_back_known ON hand_back (known_from) WHERE known_from IS NOT NULL;

CREATE TRIGGER hand_back_activated AFTER UPDATE OF state ON credential
WHEN OLD.state = 'Inactive' AND NEW.state = 'Active'
    AND EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    DELETE FROM hand_back WHERE kind = 'activated' AND number = NEW.id;
    INSERT INTO hand_back (seq, kind, number, at)
        VALUES ((SELECT last_seq FROM replica), 'activated', NEW.id, coalesce(NEW.last_used_at, 0));
END;

CREATE TRIGGER hand_back_tied AFTER UPDATE OF client_id_tie ON credential
WHEN NEW.client_id_tie IS NOT NULL AND NEW.client_id_tie IS NOT OLD.client_id_tie
    AND EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    DELETE FROM hand_back WHERE kind = 'tied' AND number = NEW.id;
    INSERT INTO hand_back (seq, kind, number, value, client_id, at)
        VALUES ((SELECT last_seq FROM replica), 'tied', NEW.id, NEW.generation, NEW.client_id_tie, coalesce(NEW.last_used_at, 0));
END;

CREATE TRIGGER hand_back_used AFTER UPDATE OF last_used_at ON credential
WHEN NEW.last_used_at IS NOT NULL AND NEW.last_used_at IS NOT OLD.last_used_at
    AND EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    DELETE FROM hand_back WHERE kind = 'used' AND number = NEW.id;
    INSERT INTO hand_back (seq, kind, number, at)
        VALUES ((SELECT last_seq FROM replica), 'used', NEW.id, NEW.last_used_at);
END;

-- at is when the step began: a step is 30 s.
CREATE TRIGGER hand_back_code_used AFTER UPDATE OF last_step ON person
WHEN NEW.last_step > coalesce(OLD.last_step, -1)
    AND EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    DELETE FROM hand_back WHERE kind = 'code-used' AND number = NEW.credential;
    INSERT INTO hand_back (seq, kind, number, value, at)
        VALUES ((SELECT last_seq FROM replica), 'code-used', NEW.credential, NEW.last_step, NEW.last_step * 30000);
END;

CREATE TRIGGER hand_back_retired AFTER DELETE ON secret
WHEN EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    INSERT INTO hand_back (seq, kind, number, value, at)
        VALUES ((SELECT last_seq FROM replica), 'retired', OLD.id, OLD.credential, 0);
END;

CREATE TRIGGER hand_back_failed_first AFTER INSERT ON lockout
WHEN NEW.failures > 0 AND EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    INSERT INTO hand_back (seq, kind, name, value, at)
        VALUES ((SELECT last_seq FROM replica), 'failed', NEW.name, NEW.failures, NEW.updated_at);
END;

CREATE TRIGGER hand_back_failed_again AFTER UPDATE OF failures ON lockout
WHEN NEW.failures > OLD.failures AND EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    UPDATE hand_back SET value = value + NEW.failures - OLD.failures, at = NEW.updated_at
        WHERE kind = 'failed' AND name = NEW.name AND is_sent = 0;
    INSERT INTO hand_back (seq, kind, name, value, at)
        SELECT (SELECT last_seq FROM replica), 'failed', NEW.name, NEW.failures - OLD.failures, NEW.updated_at
        WHERE changes() = 0;
END;

-- What fails no more is not told any more, so that there are no more names in here than
-- there are lockouts, but for those that are being told.
CREATE TRIGGER hand_back_cleared AFTER DELETE ON lockout
WHEN EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    DELETE FROM hand_back WHERE kind = 'failed' AND name = OLD.name AND is_sent = 0;
    DELETE FROM hand_back WHERE kind = 'cleared' AND name = OLD.name;
    INSERT INTO hand_back (seq, kind, name, at)
        SELECT (SELECT last_seq FROM replica), 'cleared', OLD.name, OLD.updated_at WHERE OLD.known = 1;
END;

-- Each change of what followers have, as `FOLLOWED` says.
CREATE TRIGGER followed_setting_added AFTER INSERT ON setting
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('setting', NULL, NULL, NEW.key);
END;

CREATE TRIGGER followed_setting_changed AFTER UPDATE ON setting
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('setting', NULL, NULL, NEW.key);
END;

CREATE TRIGGER followed_setting_removed AFTER DELETE ON setting
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('setting', NULL, NULL, OLD.key);
END;

CREATE TRIGGER followed_scheme_field_added AFTER INSERT ON scheme_field
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('scheme', NULL, NULL, NEW.scheme);
END;

CREATE TRIGGER followed_scheme_field_changed AFTER UPDATE ON scheme_field
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('scheme', NULL, NULL, NEW.scheme);
END;

CREATE TRIGGER followed_scheme_field_removed AFTER DELETE ON scheme_field
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('scheme', NULL, NULL, OLD.scheme);
END;

CREATE TRIGGER followed_tenant_added AFTER INSERT ON tenant
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('tenant', NULL, NEW.id, NEW.id);
END;

CREATE TRIGGER followed_tenant_changed AFTER UPDATE ON tenant
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('tenant', NULL, NEW.id, NEW.id);
END;

CREATE TRIGGER followed_tenant_removed AFTER DELETE ON tenant
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('tenant', NULL, OLD.id, OLD.id);
END;

CREATE TRIGGER followed_namespace_added AFTER INSERT ON namespace
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('tenant', NULL, NEW.tenant, NEW.tenant);
END;

CREATE TRIGGER followed_namespace_changed AFTER UPDATE ON namespace
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('tenant', NULL, NEW.tenant, NEW.tenant);
END;

CREATE TRIGGER followed_namespace_removed AFTER DELETE ON namespace
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('tenant', NULL, OLD.tenant, OLD.tenant);
END;

CREATE TRIGGER followed_role_added AFTER INSERT ON role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, NEW.tenant, NEW.name);
END;

CREATE TRIGGER followed_role_changed AFTER UPDATE ON role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, NEW.tenant, NEW.name);
END;

CREATE TRIGGER followed_role_removed AFTER DELETE ON role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, OLD.tenant, OLD.name);
END;

CREATE TRIGGER followed_role_rule_added AFTER INSERT ON role_rule
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, NEW.tenant, NEW.role);
END;

CREATE TRIGGER followed_role_rule_changed AFTER UPDATE ON role_rule
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, NEW.tenant, NEW.role);
END;

CREATE TRIGGER followed_role_rule_removed AFTER DELETE ON role_rule
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, OLD.tenant, OLD.role);
END;

CREATE TRIGGER followed_group_role_added AFTER INSERT ON group_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, NEW.tenant, NEW.role);
END;

CREATE TRIGGER followed_group_role_changed AFTER UPDATE ON group_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, NEW.tenant, NEW.role);
END;

CREATE TRIGGER followed_group_role_removed AFTER DELETE ON group_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, OLD.tenant, OLD.role);
END;

CREATE TRIGGER followed_tenant_role_added AFTER INSERT ON tenant_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, NEW.tenant, NEW.role);
END;

CREATE TRIGGER followed_tenant_role_changed AFTER UPDATE ON tenant_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, NEW.tenant, NEW.role);
END;

CREATE TRIGGER followed_tenant_role_removed AFTER DELETE ON tenant_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('role', NULL, OLD.tenant, OLD.role);
END;

CREATE TRIGGER followed_credential_added AFTER INSERT ON credential
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_credential_changed AFTER UPDATE OF id, name, tenant, scheme, state, ever_used, generation, description, client_id_rule, client_id_tie, bound_to, external_identity, not_before, expires_at, created_at, updated_at, revoked_reason, kind, application, org_admin, auto_register, limits ON credential
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_credential_removed AFTER DELETE ON credential
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.id, OLD.tenant, NULL);
END;

CREATE TRIGGER followed_secret_added AFTER INSERT ON secret
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_secret_changed AFTER UPDATE ON secret
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_secret_removed AFTER DELETE ON secret
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.credential, (SELECT tenant FROM credential WHERE id = OLD.credential), NULL);
END;

CREATE TRIGGER followed_certificate_added AFTER INSERT ON certificate
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_certificate_changed AFTER UPDATE ON certificate
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_certificate_removed AFTER DELETE ON certificate
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.credential, (SELECT tenant FROM credential WHERE id = OLD.credential), NULL);
END;

CREATE TRIGGER followed_credential_group_added AFTER INSERT ON credential_group
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_credential_group_changed AFTER UPDATE ON credential_group
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_credential_group_removed AFTER DELETE ON credential_group
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.credential, (SELECT tenant FROM credential WHERE id = OLD.credential), NULL);
END;

CREATE TRIGGER followed_credential_role_added AFTER INSERT ON credential_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_credential_role_changed AFTER UPDATE ON credential_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_credential_role_removed AFTER DELETE ON credential_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.credential, (SELECT tenant FROM credential WHERE id = OLD.credential), NULL);
END;

CREATE TRIGGER followed_credential_rule_added AFTER INSERT ON credential_rule
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_credential_rule_changed AFTER UPDATE ON credential_rule
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_credential_rule_removed AFTER DELETE ON credential_rule
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.credential, (SELECT tenant FROM credential WHERE id = OLD.credential), NULL);
END;

CREATE TRIGGER followed_attribute_added AFTER INSERT ON attribute
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_attribute_changed AFTER UPDATE ON attribute
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, (SELECT tenant FROM credential WHERE id = NEW.credential), NULL);
END;

CREATE TRIGGER followed_attribute_removed AFTER DELETE ON attribute
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.credential, (SELECT tenant FROM credential WHERE id = OLD.credential), NULL);
END;

CREATE TRIGGER followed_person_added AFTER INSERT ON person
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, NULL, NULL);
END;

CREATE TRIGGER followed_person_changed AFTER UPDATE OF credential, seed, is_confirmed, last_step, platform_admin ON person
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, NULL, NULL);
END;

CREATE TRIGGER followed_person_removed AFTER DELETE ON person
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.credential, NULL, NULL);
END;

CREATE TRIGGER followed_person_grant_added AFTER INSERT ON person_grant
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, NULL, NULL);
END;

CREATE TRIGGER followed_person_grant_changed AFTER UPDATE ON person_grant
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.credential, NULL, NULL);
END;

CREATE TRIGGER followed_person_grant_removed AFTER DELETE ON person_grant
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.credential, NULL, NULL);
END;

CREATE TRIGGER followed_token_key_added AFTER INSERT ON token_key
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token-key', NULL, NEW.tenant, NEW.id);
END;

CREATE TRIGGER followed_token_key_changed AFTER UPDATE ON token_key
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token-key', NULL, NEW.tenant, NEW.id);
END;

CREATE TRIGGER followed_token_key_removed AFTER DELETE ON token_key
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token-key', NULL, OLD.tenant, OLD.id);
END;

CREATE TRIGGER followed_token_added AFTER INSERT ON token
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token', NULL, NEW.tenant, NEW.id);
END;

CREATE TRIGGER followed_token_changed AFTER UPDATE ON token
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token', NULL, NEW.tenant, NEW.id);
END;

CREATE TRIGGER followed_token_removed AFTER DELETE ON token
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token', NULL, OLD.tenant, OLD.id);
END;

CREATE TRIGGER followed_token_thing_added AFTER INSERT ON token_thing
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token', NULL, (SELECT tenant FROM token WHERE id = NEW.token), NEW.token);
END;

CREATE TRIGGER followed_token_thing_changed AFTER UPDATE ON token_thing
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token', NULL, (SELECT tenant FROM token WHERE id = NEW.token), NEW.token);
END;

CREATE TRIGGER followed_token_thing_removed AFTER DELETE ON token_thing
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('token', NULL, (SELECT tenant FROM token WHERE id = OLD.token), OLD.token);
END;

CREATE TRIGGER followed_certificate_authority_added AFTER INSERT ON certificate_authority
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('authority', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_certificate_authority_changed AFTER UPDATE ON certificate_authority
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('authority', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_certificate_authority_removed AFTER DELETE ON certificate_authority
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('authority', OLD.id, OLD.tenant, NULL);
END;

CREATE TRIGGER followed_issuer_added AFTER INSERT ON issuer
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_issuer_changed AFTER UPDATE ON issuer
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_issuer_removed AFTER DELETE ON issuer
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', OLD.id, OLD.tenant, NULL);
END;

CREATE TRIGGER followed_issuer_role_added AFTER INSERT ON issuer_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', NEW.issuer, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_issuer_role_changed AFTER UPDATE ON issuer_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', NEW.issuer, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_issuer_role_removed AFTER DELETE ON issuer_role
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', OLD.issuer, OLD.tenant, NULL);
END;

CREATE TRIGGER followed_issuer_source_added AFTER INSERT ON issuer_source
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', NEW.issuer, (SELECT tenant FROM issuer WHERE id = NEW.issuer), NULL);
END;

CREATE TRIGGER followed_issuer_source_changed AFTER UPDATE ON issuer_source
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', NEW.issuer, (SELECT tenant FROM issuer WHERE id = NEW.issuer), NULL);
END;

CREATE TRIGGER followed_issuer_source_removed AFTER DELETE ON issuer_source
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer', OLD.issuer, (SELECT tenant FROM issuer WHERE id = OLD.issuer), NULL);
END;

CREATE TRIGGER followed_issuer_revocation_added AFTER INSERT ON issuer_revocation
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer-revocation', NEW.issuer, (SELECT tenant FROM issuer WHERE id = NEW.issuer), NEW.token);
END;

CREATE TRIGGER followed_issuer_revocation_changed AFTER UPDATE ON issuer_revocation
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer-revocation', NEW.issuer, (SELECT tenant FROM issuer WHERE id = NEW.issuer), NEW.token);
END;

CREATE TRIGGER followed_issuer_revocation_removed AFTER DELETE ON issuer_revocation
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('issuer-revocation', OLD.issuer, (SELECT tenant FROM issuer WHERE id = OLD.issuer), OLD.token);
END;

CREATE TRIGGER followed_ban_added AFTER INSERT ON ban
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('ban', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_ban_changed AFTER UPDATE ON ban
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('ban', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_ban_removed AFTER DELETE ON ban
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('ban', OLD.id, OLD.tenant, NULL);
END;

CREATE TRIGGER followed_lockout_added AFTER INSERT ON lockout
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('lockout', NULL, NULL, NEW.name);
END;

CREATE TRIGGER followed_lockout_changed AFTER UPDATE OF name, known, failures, locked_until ON lockout
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('lockout', NULL, NULL, NEW.name);
END;

CREATE TRIGGER followed_lockout_removed AFTER DELETE ON lockout
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('lockout', NULL, NULL, OLD.name);
END;

-- What dynamic-security's commands said of something, and nothing else here keeps: orders,
-- priorities, texts, groups without members. name is empty for the tenant itself.
CREATE TABLE control_note (
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, name)
) STRICT, WITHOUT ROWID;

-- Sessions at the broker of a follower, as it told them. broker is what they are called by
-- here; nothing but listings and requests to kick reads these.
ALTER TABLE presence ADD COLUMN follower TEXT REFERENCES follower (name) ON DELETE CASCADE;
CREATE INDEX presence_of_follower ON presence (follower) WHERE follower IS NOT NULL;

-- The follower behind whose replica the session is; broker is the one there, or empty
-- where there is but one.
ALTER TABLE kick_request ADD COLUMN follower TEXT;

CREATE TRIGGER kick_told AFTER INSERT ON kick_request
WHEN (NEW.follower IS NOT NULL OR NEW.client_id IS NOT NULL)
    AND EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number) VALUES ('kick', NEW.id);
END;

-- A replica has the requests of its centre alone, and their numbers.
CREATE TRIGGER hand_back_kicked AFTER UPDATE OF answered ON kick_request
WHEN NEW.answered = 1 AND OLD.answered <> 1
    AND EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    INSERT INTO hand_back (seq, kind, number, at)
        VALUES ((SELECT last_seq FROM replica), 'kicked', NEW.id, NEW.at);
END;

-- Which things and devices are made of clients that nobody made, as followers are told.
CREATE TRIGGER followed_auto_registration_added AFTER INSERT ON auto_registration
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.application, (SELECT tenant FROM credential WHERE id = NEW.application), NULL);
END;

CREATE TRIGGER followed_auto_registration_changed AFTER UPDATE OF application, max, pattern ON auto_registration
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.application, (SELECT tenant FROM credential WHERE id = NEW.application), NULL);
END;

CREATE TRIGGER followed_auto_registration_removed AFTER DELETE ON auto_registration
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', OLD.application, (SELECT tenant FROM credential WHERE id = OLD.application), NULL);
END;

CREATE TRIGGER followed_device_registration_added AFTER INSERT ON device_registration
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('registration', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_device_registration_changed AFTER UPDATE OF id, authority, issuer, tenant, role, max ON device_registration
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('registration', NEW.id, NEW.tenant, NULL);
END;

CREATE TRIGGER followed_device_registration_removed AFTER DELETE ON device_registration
WHEN EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('registration', OLD.id, OLD.tenant, NULL);
END;

-- That no more are made. How many are, followers are not told.
CREATE TRIGGER full_auto_registration AFTER UPDATE OF registered ON auto_registration
WHEN (NEW.registered >= NEW.max) <> (OLD.registered >= OLD.max)
    AND EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('credential', NEW.application, (SELECT tenant FROM credential WHERE id = NEW.application), NULL);
END;

CREATE TRIGGER full_device_registration AFTER UPDATE OF registered ON device_registration
WHEN (NEW.registered >= NEW.max) <> (OLD.registered >= OLD.max)
    AND EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number, tenant, name)
        VALUES ('registration', NEW.id, NEW.tenant, NULL);
END;

-- What all migrations make of an empty file. Written by `cargo xtask codegen`.

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
, lockout TEXT, default_rights TEXT NOT NULL DEFAULT 'namespaces'
    CHECK (default_rights IN ('namespaces', 'none')), anonymous_rights TEXT NOT NULL DEFAULT 'namespaces', sys_read INTEGER NOT NULL DEFAULT 0, name_prefix TEXT, limits TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE namespace (
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    filter TEXT NOT NULL,
    PRIMARY KEY (tenant, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE role (
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    created_at INTEGER NOT NULL, no_wildcards INTEGER NOT NULL DEFAULT 0, limits TEXT,
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
    group_path TEXT, literal INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, role, position),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE scheme_field (
    scheme TEXT NOT NULL,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (scheme, key, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE credential (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    tenant TEXT REFERENCES tenant (id) ON DELETE CASCADE,
    scheme TEXT NOT NULL,
    state TEXT NOT NULL,
    ever_used INTEGER NOT NULL,
    generation INTEGER NOT NULL,
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
, kind TEXT NOT NULL DEFAULT 'device', application INTEGER REFERENCES credential (id) ON DELETE CASCADE, org_admin INTEGER NOT NULL DEFAULT 0, auto_register INTEGER NOT NULL DEFAULT 0, limits TEXT) STRICT;
CREATE TABLE secret (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    digest BLOB UNIQUE,
    phc TEXT,
    ends_at INTEGER,
    until_used INTEGER NOT NULL DEFAULT 0, hint TEXT,
    CHECK ((digest IS NULL) <> (phc IS NULL))
) STRICT;
CREATE TABLE credential_role (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    tenant TEXT NOT NULL,
    PRIMARY KEY (credential, role),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE credential_rule (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    effect TEXT NOT NULL,
    action TEXT NOT NULL,
    pattern TEXT NOT NULL,
    max_qos INTEGER,
    no_retain INTEGER NOT NULL, literal INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (credential, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE attribute (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (credential, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER,
    tenant TEXT
, group_path TEXT) STRICT;
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
, client_id TEXT, chain INTEGER NOT NULL DEFAULT 0 CHECK (chain IN (0, 1)), format INTEGER NOT NULL DEFAULT 1, topic TEXT) STRICT;
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
    stored INTEGER NOT NULL, tie BLOB, follower TEXT REFERENCES follower (name) ON DELETE CASCADE,
    PRIMARY KEY (broker, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE stored_session (
    client_id BLOB NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    credential INTEGER REFERENCES credential (id) ON DELETE SET NULL,
    username TEXT,
    tenant TEXT,
    last_used_at INTEGER NOT NULL,
    broker TEXT NOT NULL
, first_used_at INTEGER NOT NULL DEFAULT 0, is_stored INTEGER NOT NULL DEFAULT 1) STRICT, WITHOUT ROWID;
CREATE TABLE kick_request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    client_id TEXT,
    broker TEXT,
    session INTEGER,
    answered INTEGER NOT NULL DEFAULT 0, actor TEXT, subject TEXT, about TEXT, follower TEXT,
    CHECK ((client_id IS NULL) = (broker IS NOT NULL AND session IS NOT NULL))
) STRICT;
CREATE TABLE person (
    credential INTEGER PRIMARY KEY REFERENCES credential (id) ON DELETE CASCADE,
    seed BLOB,
    is_confirmed INTEGER NOT NULL,
    last_step INTEGER,
    last_tenant TEXT
, platform_admin INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE recovery_code (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    digest BLOB NOT NULL
) STRICT;
CREATE TABLE lockout (
    name TEXT NOT NULL PRIMARY KEY,
    known INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    locked_until INTEGER,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE token_key (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    public BLOB NOT NULL,
    private BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at INTEGER
) STRICT, WITHOUT ROWID;
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
CREATE TABLE token_thing (
    token TEXT NOT NULL REFERENCES token (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    thing TEXT NOT NULL,
    PRIMARY KEY (token, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE session_change (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
, rows INTEGER NOT NULL DEFAULT 0, pruned INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE audit_chain (
    chain INTEGER NOT NULL PRIMARY KEY,
    anchor INTEGER NOT NULL,
    anchor_hash BLOB NOT NULL,
    head INTEGER NOT NULL,
    head_hash BLOB NOT NULL,
    rows INTEGER NOT NULL,
    staged INTEGER NOT NULL
) STRICT;
CREATE TABLE auto_registration (
    application INTEGER PRIMARY KEY REFERENCES credential (id) ON DELETE CASCADE,
    max INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    registered INTEGER NOT NULL,
    second INTEGER NOT NULL,
    in_second INTEGER NOT NULL
) STRICT;
CREATE TABLE pruned_session (
    client_id INTEGER PRIMARY KEY,
    credential INTEGER
) STRICT;
CREATE TABLE tenant_role (
    tenant TEXT NOT NULL,
    holder TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (tenant, holder, role),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
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
CREATE TABLE credential_group (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (credential, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE group_role (
    tenant TEXT NOT NULL,
    path TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (tenant, path, role),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE arriving_session (
    client_id BLOB PRIMARY KEY,
    broker TEXT NOT NULL,
    is_own INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE "refusal" (
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
CREATE TABLE "person_grant" (
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
CREATE TABLE broker (
    name TEXT PRIMARY KEY,
    host TEXT,
    version TEXT,
    plugin_version TEXT,
    since INTEGER,
    last_seen INTEGER NOT NULL,
    options TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE certificate (
    fingerprint BLOB PRIMARY KEY,
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    not_before INTEGER,
    not_after INTEGER,
    until INTEGER,
    added_at INTEGER NOT NULL,
    CHECK ((not_before IS NULL) = (not_after IS NULL))
) STRICT, WITHOUT ROWID;
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
CREATE TABLE issuer_role (
    issuer INTEGER NOT NULL REFERENCES issuer (id) ON DELETE CASCADE,
    word TEXT NOT NULL,
    tenant TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (issuer, word),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE issuer_revocation (
    issuer INTEGER NOT NULL REFERENCES issuer (id) ON DELETE CASCADE,
    token TEXT NOT NULL,
    revoked_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, token)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE registered_name (
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE object_change (
    seq INTEGER PRIMARY KEY,
    stamp INTEGER NOT NULL DEFAULT (random()),
    at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    kind TEXT NOT NULL,
    number INTEGER,
    tenant TEXT,
    name TEXT
) STRICT;
CREATE TABLE replica (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,
    place TEXT,
    contact_at INTEGER,
    stamp INTEGER NOT NULL DEFAULT (random()),
    last_seq INTEGER NOT NULL DEFAULT 0,
    is_taking INTEGER NOT NULL DEFAULT 0
) STRICT;
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
CREATE TABLE control_note (
    tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tenant_open ON tenant (id) WHERE authentication <> 'required';
CREATE UNIQUE INDEX tenant_by_prefix ON tenant (client_id_prefix)
    WHERE client_id_prefix IS NOT NULL;
CREATE INDEX credential_of_tenant ON credential (tenant, name);
CREATE INDEX credential_of_scheme ON credential (scheme, tenant);
CREATE INDEX credential_bound_to ON credential (bound_to) WHERE bound_to IS NOT NULL;
CREATE INDEX secret_of_credential ON secret (credential);
CREATE INDEX credential_of_role ON credential_role (tenant, role);
CREATE INDEX attribute_by_value ON attribute (key, value);
CREATE INDEX audit_by_time ON audit (time);
CREATE INDEX presence_of_tenant ON presence (tenant);
CREATE INDEX credential_of_application ON credential (application)
    WHERE application IS NOT NULL;
CREATE INDEX credential_of_kind ON credential (kind, tenant, name) WHERE kind <> 'device';
CREATE INDEX recovery_code_of_credential ON recovery_code (credential);
CREATE INDEX lockout_by_time ON lockout (known, updated_at);
CREATE INDEX token_key_of_tenant ON token_key (tenant, created_at);
CREATE INDEX token_of_role ON token (tenant, role);
CREATE INDEX token_of_bearer ON token (bearer);
CREATE INDEX token_of_issuer ON token (issuer);
CREATE INDEX token_of_key ON token (key);
CREATE INDEX token_by_end ON token (expires_at);
CREATE INDEX audit_of_chain ON audit (chain, id);
CREATE INDEX stored_session_of_credential
    ON stored_session (credential, is_stored, first_used_at);
CREATE INDEX stored_session_of_nobody ON stored_session (tenant, first_used_at)
    WHERE holder = 'unauthenticated';
CREATE INDEX stored_session_by_use ON stored_session (last_used_at);
CREATE INDEX presence_by_tie ON presence (tie);
CREATE INDEX credential_group_by_path ON credential_group (path);
CREATE INDEX credential_stopped ON credential (state) WHERE state IN ('Suspended', 'Revoked');
CREATE INDEX group_role_of_role ON group_role (tenant, role);
CREATE INDEX audit_of_subject ON audit (subject, time);
CREATE INDEX credential_kept_name ON credential (
    lower(substr(name, length(rtrim(name, replace(name, '@', ''))) + 1)),
    name COLLATE NOCASE
) WHERE kind = 'device' AND instr(name, '@') > 0
    AND substr(name, length(rtrim(name, replace(name, '@', ''))) + 1) <> tenant;
CREATE INDEX arriving_session_of_broker ON arriving_session (broker);
CREATE INDEX kick_request_by_time ON kick_request (at);
CREATE INDEX presence_of_credential ON presence (credential) WHERE credential IS NOT NULL;
CREATE INDEX person_grant_of_role ON person_grant (tenant, role);
CREATE INDEX person_grant_of_tenant ON person_grant (tenant, credential);
CREATE INDEX api_token_of_tenant ON api_token (tenant, id);
CREATE INDEX api_token_of_owner ON api_token (owner, id);
CREATE INDEX api_token_of_parent ON api_token (parent) WHERE parent IS NOT NULL;
CREATE INDEX api_token_by_end ON api_token (expires_at);
CREATE INDEX web_session_of_credential ON web_session (credential, id);
CREATE INDEX web_session_by_use ON web_session (last_used_at);
CREATE INDEX certificate_of_credential ON certificate (credential, added_at, fingerprint);
CREATE INDEX hook_of_tenant ON hook (tenant) WHERE tenant IS NOT NULL;
CREATE INDEX certificate_authority_of_tenant ON certificate_authority (tenant, id);
CREATE INDEX certificate_authority_by_signer ON certificate_authority (signer, id);
CREATE INDEX certificate_authority_by_key_id ON certificate_authority (key_id, id)
    WHERE key_id IS NOT NULL;
CREATE UNIQUE INDEX ban_of_network ON ban (network) WHERE network IS NOT NULL;
CREATE UNIQUE INDEX ban_of_client_id ON ban (client_id, coalesce(tenant, ''))
    WHERE client_id IS NOT NULL;
CREATE INDEX ban_of_tenant ON ban (tenant, id) WHERE tenant IS NOT NULL;
CREATE INDEX ban_by_end ON ban (until) WHERE until IS NOT NULL;
CREATE INDEX person_of_platform ON person (credential) WHERE platform_admin = 1;
CREATE INDEX change_of_policy ON change (seq)
    WHERE kind <> 'ban' AND kind <> 'credential' AND kind <> 'group'
        AND kind <> 'issuer-keys' AND kind <> 'kick';
CREATE INDEX change_of_ban ON change (seq) WHERE kind = 'ban';
CREATE INDEX issuer_of_tenant ON issuer (tenant, id);
CREATE INDEX issuer_role_of_role ON issuer_role (tenant, role);
CREATE INDEX device_registration_of_role ON device_registration (tenant, role);
CREATE INDEX follower_tenant_of_tenant ON follower_tenant (tenant);
CREATE INDEX hand_back_of_number ON hand_back (kind, number) WHERE number IS NOT NULL;
CREATE INDEX hand_back_of_name ON hand_back (kind, name) WHERE name IS NOT NULL;
CREATE INDEX hand_back_to_send ON hand_back (seq) WHERE known_from IS NULL;
CREATE INDEX hand_back_known ON hand_back (known_from) WHERE known_from IS NOT NULL;
CREATE INDEX presence_of_follower ON presence (follower) WHERE follower IS NOT NULL;
CREATE TRIGGER stored_session_dropped AFTER DELETE ON stored_session BEGIN
    UPDATE session_change SET number = number + 1, rows = rows - 1 WHERE id = 1;
END;
CREATE TRIGGER stored_session_changed
AFTER UPDATE OF client_id, holder, credential, username, tenant, is_stored ON stored_session
BEGIN
    UPDATE session_change SET number = number + 1 WHERE id = 1;
END;
CREATE TRIGGER stored_session_taken AFTER INSERT ON stored_session BEGIN
    UPDATE session_change SET rows = rows + 1 WHERE id = 1;
END;
CREATE TRIGGER pruned_session_added AFTER INSERT ON pruned_session BEGIN
    UPDATE session_change SET pruned = pruned + 1 WHERE id = 1;
END;
CREATE TRIGGER pruned_session_removed AFTER DELETE ON pruned_session BEGIN
    UPDATE session_change SET number = number + 1, pruned = pruned - 1 WHERE id = 1;
END;
CREATE TRIGGER pruned_session_changed AFTER UPDATE ON pruned_session BEGIN
    UPDATE session_change SET number = number + 1 WHERE id = 1;
END;
CREATE TRIGGER follower_tenant_removed AFTER DELETE ON follower_tenant BEGIN
    UPDATE follower SET era = era + 1 WHERE name = OLD.follower;
END;
CREATE TRIGGER object_change_cut AFTER INSERT ON object_change BEGIN
    DELETE FROM object_change WHERE seq <= NEW.seq - 100000;
END;
CREATE TRIGGER follower_begins AFTER INSERT ON follower BEGIN
    INSERT INTO object_change (kind) VALUES ('');
END;
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
CREATE TRIGGER hand_back_cleared AFTER DELETE ON lockout
WHEN EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    DELETE FROM hand_back WHERE kind = 'failed' AND name = OLD.name AND is_sent = 0;
    DELETE FROM hand_back WHERE kind = 'cleared' AND name = OLD.name;
    INSERT INTO hand_back (seq, kind, name, at)
        SELECT (SELECT last_seq FROM replica), 'cleared', OLD.name, OLD.updated_at WHERE OLD.known = 1;
END;
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
CREATE TRIGGER kick_told AFTER INSERT ON kick_request
WHEN (NEW.follower IS NOT NULL OR NEW.client_id IS NOT NULL)
    AND EXISTS (SELECT 1 FROM follower) BEGIN
    INSERT INTO object_change (kind, number) VALUES ('kick', NEW.id);
END;
CREATE TRIGGER hand_back_kicked AFTER UPDATE OF answered ON kick_request
WHEN NEW.answered = 1 AND OLD.answered <> 1
    AND EXISTS (SELECT 1 FROM replica WHERE is_taking = 0) BEGIN
    UPDATE replica SET last_seq = last_seq + 1;
    INSERT INTO hand_back (seq, kind, number, at)
        VALUES ((SELECT last_seq FROM replica), 'kicked', NEW.id, NEW.at);
END;
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
INSERT INTO audit_chain VALUES (0, 0, X'0000000000000000000000000000000000000000000000000000000000000000', 0, X'0000000000000000000000000000000000000000000000000000000000000000', 0, 0);
INSERT INTO audit_chain VALUES (1, 0, X'0000000000000000000000000000000000000000000000000000000000000000', 0, X'0000000000000000000000000000000000000000000000000000000000000000', 0, 0);
INSERT INTO session_change VALUES (1, 0, 0, 0);

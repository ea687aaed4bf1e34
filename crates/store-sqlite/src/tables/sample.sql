-- A row in each table that is exported, of tenant `acme`, and something of
-- another one. For tests.
INSERT INTO tenant (id, authentication, subscribe, created_at)
    VALUES ('acme', 'required', 'strict', 1), ('other', 'required', 'strict', 1);
INSERT INTO namespace VALUES ('acme', 0, 'acme/#'), ('other', 0, 'other/#');
INSERT INTO role (tenant, name, created_at) VALUES ('acme', 'ops', 1), ('other', 'ops', 1);
INSERT INTO role_rule (tenant, role, position, effect, action, pattern, no_retain)
    VALUES ('acme', 'ops', 0, 'allow', 'both', 'acme/${username}/#', 0);
INSERT INTO role_import VALUES ('acme', 'ops', 'mosquitto', zeroblob(32));
INSERT INTO group_role VALUES ('acme', 'DM', 'ops');
INSERT INTO tenant_role VALUES ('acme', 'default', 'ops');
INSERT INTO scheme_field VALUES ('mine', 'name', 0, 'text', 'mine'),
    ('mine', 'login_name', 0, 'text', 'generated'),
    ('mine', 'login_name_shape', 0, 'text', 'M-[0-9]{8}'),
    ('mine', 'client_id', 0, 'text', 'any'),
    ('mine', 'secret_shape', 0, 'text', '[0-9a-f]{32}'),
    ('mine', 'publish', 0, 'list', 'mine/${username}/#');
INSERT INTO credential (id, name, tenant, scheme, state, ever_used, generation, client_id_rule,
        external_identity, created_at, updated_at, kind, application)
    VALUES (3, 'dev1@acme', 'acme', 'mine', 'Active', 1, 7, 'any', 0, 1, 1, 'device', NULL),
        (4, 'dev1@other', 'other', 'basic', 'Inactive', 0, 1, 'any', 0, 1, 1, 'device', NULL),
        (5, 'monitor', NULL, 'basic', 'Active', 1, 1, 'any', 0, 1, 1, 'operator', NULL),
        (6, 'jane@example.com', NULL, 'basic', 'Active', 1, 1, 'any', 0, 1, 1, 'user', NULL),
        (7, 'application:fleet@acme', 'acme', 'application', 'Active', 1, 1, 'any', 0, 1, 1, 'application',
            NULL),
        (8, 'pump-1', 'acme', 'application', 'Active', 1, 1, 'first-use', 0, 1, 1, 'thing', 7),
        (9, 'jwt:report@acme', 'acme', 'basic', 'Active', 1, 1, 'any', 0, 1, 1, 'bearer', NULL),
        (99, 'gone@other', 'other', 'basic', 'Active', 1, 1, 'any', 0, 1, 1, 'device', NULL);
DELETE FROM credential WHERE id = 99;
UPDATE credential SET auto_register = 1 WHERE id = 7;
INSERT INTO secret (credential, digest) VALUES (3, zeroblob(32));
INSERT INTO certificate VALUES (zeroblob(32), 3, 1, 2, NULL, 1);
INSERT INTO certificate_authority VALUES (2, zeroblob(32), 'acme', 'CN=ü', 'ed25519', zeroblob(32),
    zeroblob(32), NULL, zeroblob(32), 'cn', '${name}', 1, 2, 1);
INSERT INTO credential_import VALUES (3, 'mosquitto', zeroblob(32), 1);
INSERT INTO credential_group VALUES (3, 0, 'DM.X');
INSERT INTO credential_role VALUES (3, 'ops', 'acme');
INSERT INTO credential_rule (credential, position, effect, action, pattern, no_retain)
    VALUES (3, 0, 'deny', 'publish', 'acme/x', 0);
INSERT INTO attribute VALUES (3, 'site', 'ü');
INSERT INTO auto_registration VALUES (7, 10, '*', 3, 0, 0);
INSERT INTO person (credential, seed, is_confirmed, last_tenant, platform_admin)
    VALUES (6, x'0102', 1, 'acme', 1);
INSERT INTO person_grant (credential, tenant, role, org_admin) VALUES (6, 'acme', 'ops', 0);
INSERT INTO recovery_code (credential, digest) VALUES (6, zeroblob(32));
INSERT INTO lockout VALUES ('jane@example.com', 1, 2, NULL, 1);
INSERT INTO token_key VALUES ('k1', 'acme', x'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', x'03', 1, NULL);
INSERT INTO token VALUES ('00112233445566778899aabbccddeeff', 'acme', 'ops', 9, 6, 'k1', 1, 2, 3);
INSERT INTO token_thing VALUES ('00112233445566778899aabbccddeeff', 0, 'pump-1');
INSERT INTO stored_session (client_id, holder, credential, username, tenant, last_used_at, broker)
    VALUES (zeroblob(32), 'credential', 3, 'dev1@acme', 'acme', 1, 'b');
INSERT INTO pruned_session VALUES (-5, 3);
INSERT INTO api_token (digest, tenant, viewer, owner, created_by, created_at, expires_at)
    VALUES (zeroblob(32), 'acme', 1, 6, 'cli:root', 1, 2);
INSERT INTO hook (name, kind, tenant, source_ranges, digest, kick_url, kick_login, vhosts, created_at, rotated_at)
    VALUES ('edge', 'rabbitmq', 'acme', '10.0.0.0/8 ::1', zeroblob(32), 'http://127.0.0.1:15672', x'04', '/', 1, 2);
INSERT INTO control_note VALUES ('acme', 'role', 'ops', '{}');
INSERT INTO ban VALUES (1, NULL, zeroblob(32), 'acme', 'pump', 2, 'noisy', 'cli:root', 1);

INSERT INTO issuer (id, name, tenant, issuer, audience, algorithms, identity, role_claim, keys, keys_at, added_at)
    VALUES (1, 'sso', 'acme', 'https://issuer.example', 'mqtt', 'ES256,RS256', 'sub', 'roles', '{"keys":[]}', 1, 2);
INSERT INTO issuer_role VALUES (1, 'operator', 'acme', 'ops');
INSERT INTO issuer_revocation VALUES (1, 't-1', 3);
INSERT INTO issuer_source VALUES (1, 'https://issuer.example/keys', 0, 604800, 1, 2, 3, 'it answered 503', 1, 1);
INSERT INTO device_registration (authority, issuer, tenant, role, max, registered, second, in_second)
    VALUES (NULL, 1, 'acme', 'ops', 9, 1, 5, 1);
INSERT INTO registered_name VALUES ('acme', 'gone@acme');

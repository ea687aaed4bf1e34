//! The keys of what commands print.

mod shows;

pub(crate) use self::shows::Shows;

pub(crate) const API_TOKEN: &[&str] = &[
    "id",
    "scope",
    "owner",
    "created_by",
    "description",
    "created_at",
    "expires_at",
    "last_used_at",
];
pub(crate) const APPLICATION: &[&str] = &[
    "name",
    "tenant",
    "roles",
    "org_admin",
    "auto_register",
    "max",
    "pattern",
    "registered",
    "created_at",
    "updated_at",
    "generation",
    "old_secret_until",
];
pub(crate) const AUDIT: &[&str] = &[
    "id",
    "time",
    "actor",
    "act",
    "subject",
    "outcome",
    "cause",
    "count",
    "address",
    "client_id",
    "topic",
    "changes",
];
pub(crate) const AUTHORITY: &[&str] = &[
    "fingerprint",
    "tenant",
    "subject",
    "key",
    "identity",
    "pattern",
    "auto_register",
    "role",
    "max",
    "registered",
    "not_before",
    "not_after",
    "added_at",
];
pub(crate) const BAN: &[&str] = &[
    "id",
    "address",
    "client_id",
    "tenant",
    "until",
    "reason",
    "created_by",
    "created_at",
];
pub(crate) const BROKER: &[&str] = &[
    "name",
    "alive",
    "version",
    "plugin_version",
    "host",
    "since",
    "sessions",
    "last_seen",
    "options",
];
pub(crate) const CERTIFICATE: &[&str] = &[
    "fingerprint",
    "name",
    "not_before",
    "not_after",
    "until",
    "ends_at",
    "added_at",
];
pub(crate) const CLIENT: &[&str] = &[
    "session",
    "client_id",
    "username",
    "tenant",
    "address",
    "protocol",
    "connected_at",
    "broker",
    "authenticated",
    "listener",
];
pub(crate) const CONNECT_ANSWER: &[&str] = &[
    "verdict",
    "reason",
    "rule",
    "considered",
    "held_by",
    "held_since",
    "authority",
    "issuer",
];
pub(crate) const CREDENTIAL: &[&str] = &[
    "updated_at",
    "last_used_at",
    "not_before",
    "expires_at",
    "roles",
    "attributes",
    "generation",
    "revoked_reason",
];
pub(crate) const DELETED: &[&str] = &["deleted"];
pub(crate) const DOCTOR: &[&str] = &["check", "ok", "level", "problem", "fix"];
pub(crate) const EFFECT: &[&str] = &["name", "connected", "gains", "loses"];
pub(crate) const ENROLMENT: &[&str] = &["otpauth", "secret", "recovery_codes"];
pub(crate) const FORGOTTEN: &[&str] = &["forgotten"];
pub(crate) const ISSUED_APPLICATION: &[&str] = &["name", "tenant", "secret", "old_secret_until"];
pub(crate) const LOSER: &[&str] = &["tenant", "name", "loses", "sessions"];
pub(crate) const MANY: &[&str] = &[
    "dry_run",
    "matched",
    "done",
    "skipped",
    "failed",
    "sessions_ended",
    "stopped",
    "names",
    "effects",
];
/// What is told of a credential when it is made, and later.
pub(crate) const NEW_CREDENTIAL: &[&str] = &[
    "id",
    "name",
    "tenant",
    "scheme",
    "username",
    "client_id",
    "state",
    "group",
    "groups",
    "description",
    "created_at",
    "token",
    "auth_type",
    "device_id",
];
pub(crate) const FLEET_STATUS: &[&str] = &[
    "name",
    "heard",
    "last_seen",
    "position",
    "lag",
    "schema",
    "waiting",
    "refused",
    "sessions",
];
pub(crate) const FOLLOWER: &[&str] = &[
    "name",
    "tenants",
    "position",
    "lag",
    "last_seen",
    "created_at",
    "rotated_at",
];
pub(crate) const HOOK: &[&str] = &[
    "name",
    "kind",
    "tenant",
    "from",
    "paths",
    "kick",
    "vhosts",
    "created_at",
    "rotated_at",
];
pub(crate) const NEW_API_TOKEN: &[&str] = &["id", "scope", "secret", "expires_at"];
pub(crate) const NEW_FOLLOWER: &[&str] = &["name", "tenants", "secret"];
pub(crate) const NEW_HOOK: &[&str] = &["name", "kind", "secret", "paths", "secret_paths"];
pub(crate) const OPERATOR: &[&str] = &[
    "name",
    "state",
    "description",
    "created_at",
    "updated_at",
    "last_used_at",
    "generation",
    "revoked_reason",
    "rules",
];
pub(crate) const PATH: &[&str] = &["path"];
pub(crate) const RENEWED: &[&str] = &["username", "secret", "generation", "old_secret_until"];
pub(crate) const REPORT: &[&str] = &[
    "source",
    "dry_run",
    "applied",
    "kept",
    "created",
    "updated",
    "unchanged",
    "changed",
    "lost",
];
pub(crate) const LIMITS: &[&str] = &[
    "name",
    "role",
    "tenant",
    "connections",
    "messages_per_second",
    "bytes_per_second",
    "payload",
    "share",
];
pub(crate) const ROLE: &[&str] = &[
    "name",
    "tenant",
    "description",
    "no_wildcards",
    "groups",
    "rules",
];
pub(crate) const SECRET: &[&str] = &["secret"];
pub(crate) const SECRETS: &[&str] = &["secrets"];
pub(crate) const SETTINGS: &[&str] = &[
    "argon2",
    "client_id_hold",
    "keep_refusals",
    "client_id_limit",
    "lockout",
    "rehash",
    "auto_ban",
];
pub(crate) const TENANT: &[&str] = &[
    "id",
    "namespaces",
    "authentication",
    "subscribe",
    "client_id_prefix",
    "lockout",
    "default_rights",
    "default_roles",
    "anonymous_rights",
    "anonymous_roles",
    "sys_read",
    "name_prefix",
    "created_at",
];
pub(crate) const THING: &[&str] = &[
    "key",
    "tenant",
    "application",
    "app_id_bound",
    "created_at",
    "updated_at",
    "last_used_at",
    "generation",
];
pub(crate) const ISSUER: &[&str] = &[
    "name",
    "tenant",
    "iss",
    "audience",
    "alg",
    "identity",
    "role_claim",
    "role_map",
    "auto_register",
    "role",
    "max",
    "registered",
    "keys",
    "keys_at",
    "jwks_url",
    "allow_private",
    "max_key_age",
    "fetched_at",
    "tried_at",
    "problem",
    "added_at",
];
pub(crate) const REVOKED: &[&str] = &["revoked"];
pub(crate) const TOKEN: &[&str] = &[
    "jti",
    "tenant",
    "whoami",
    "role",
    "things",
    "issuer",
    "key",
    "issued_at",
    "expires_at",
    "revoked_at",
    "valid",
];
pub(crate) const TOPIC_ANSWER: &[&str] = &[
    "verdict",
    "reason",
    "rule",
    "considered",
    "wall",
    "variables",
];
pub(crate) const USER: &[&str] = &[
    "email",
    "platform_admin",
    "mfa",
    "locked_until",
    "grants",
    "created_at",
    "updated_at",
    "last_used_at",
    "generation",
];
pub(crate) const WHY: &[&str] = &[
    "name",
    "state",
    "reasons",
    "sessions",
    "last_logins",
    "denied",
    "advice",
];

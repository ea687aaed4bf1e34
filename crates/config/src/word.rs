//! The words of mosquitto.conf, of 2.0 and 2.1.

/// A word, and how its value is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    /// Whose setting it is.
    pub(crate) scope: Scope,
    /// What its value is.
    pub(crate) kind: Kind,
    /// Whether Mosquitto 2.0 refuses it.
    pub(crate) only_2_1: bool,
}

/// Whose setting a word is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// The listener's above it, which there must be.
    Below,
    /// The bridge's above it, which there must be.
    Bridge,
    /// The broker's.
    Global,
    /// The listener's above it, else the default listener's.
    Listener,
    /// The broker's, or with `per_listener_settings` the listener's above it.
    Security,
}

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A text that may stand once.
    Once,
    /// A text.
    Text,
}

/// Looks a word up.
pub(crate) fn find(word: &str) -> Option<Word> {
    let found = WORDS.iter().find(|(_, words)| words.contains(&word));
    found.map(|(about, _)| *about)
}

const fn of(scope: Scope, kind: Kind) -> Word {
    Word {
        scope,
        kind,
        only_2_1: false,
    }
}

const fn new(scope: Scope, kind: Kind) -> Word {
    Word {
        scope,
        kind,
        only_2_1: true,
    }
}

const WORDS: &[(Word, &[&str])] = &[
    (
        new(Scope::Below, Kind::Flag),
        &[
            "disable_client_cert_date_checks",
            "listener_allow_anonymous",
            "proxy_protocol_v2_require_tls",
        ],
    ),
    (
        new(Scope::Below, Kind::Number),
        &["enable_proxy_protocol", "max_topic_alias_broker"],
    ),
    (
        new(Scope::Below, Kind::Text),
        &[
            "accept_protocol_versions",
            "listener_auto_id_prefix",
            "websockets_origin",
        ],
    ),
    (
        of(Scope::Bridge, Kind::Flag),
        &[
            "bridge_attempt_unsubscribe",
            "bridge_insecure",
            "bridge_outgoing_retain",
            "bridge_require_ocsp",
            "cleansession",
            "local_cleansession",
            "notifications",
            "notifications_local_only",
            "round_robin",
            "try_private",
        ],
    ),
    (new(Scope::Bridge, Kind::Flag), &["bridge_tls_use_os_certs"]),
    (
        of(Scope::Bridge, Kind::Number),
        &[
            "bridge_max_packet_size",
            "idle_timeout",
            "keepalive_interval",
            "threshold",
        ],
    ),
    (
        new(Scope::Bridge, Kind::Number),
        &[
            "bridge_max_topic_alias",
            "bridge_receive_maximum",
            "bridge_session_expiry_interval",
            "bridge_tcp_user_timeout",
        ],
    ),
    (
        of(Scope::Bridge, Kind::Once),
        &[
            "bridge_alpn",
            "bridge_bind_address",
            "bridge_cafile",
            "bridge_capath",
            "bridge_certfile",
            "bridge_identity",
            "bridge_keyfile",
            "bridge_psk",
            "bridge_tls_version",
            "clientid",
            "local_clientid",
            "local_password",
            "local_username",
            "notification_topic",
            "password",
            "remote_clientid",
            "remote_password",
            "remote_username",
            "username",
        ],
    ),
    (
        of(Scope::Bridge, Kind::Text),
        &[
            "address",
            "addresses",
            "bridge_protocol_version",
            "restart_timeout",
            "start_type",
            "topic",
        ],
    ),
    (
        new(Scope::Bridge, Kind::Text),
        &[
            "bridge_ciphers",
            "bridge_ciphers_tls1.3",
            "bridge_reload_type",
            "bridge_tcp_keepalive",
        ],
    ),
    (
        of(Scope::Global, Kind::Flag),
        &[
            "allow_duplicate_messages",
            "auth_plugin_deny_special_chars",
            "autosave_on_changes",
            "check_retain_source",
            "connection_messages",
            "log_timestamp",
            "per_listener_settings",
            "persistence",
            "queue_qos0_messages",
            "retain_available",
            "retained_persistence",
            "set_tcp_nodelay",
            "upgrade_outgoing_qos",
        ],
    ),
    (new(Scope::Global, Kind::Flag), &["enable_control_api"]),
    (
        of(Scope::Global, Kind::Number),
        &[
            "autosave_interval",
            "log_facility",
            "max_inflight_bytes",
            "max_inflight_messages",
            "max_keepalive",
            "max_packet_size",
            "max_queued_bytes",
            "max_queued_messages",
            "memory_limit",
            "message_size_limit",
            "retain_expiry_interval",
            "sys_interval",
            "websockets_headers_size",
            "websockets_log_level",
        ],
    ),
    (
        new(Scope::Global, Kind::Number),
        &[
            "global_max_clients",
            "global_max_connections",
            "packet_buffer_size",
        ],
    ),
    (
        of(Scope::Global, Kind::Once),
        &[
            "clientid_prefixes",
            "log_timestamp_format",
            "persistence_file",
            "persistence_location",
            "pid_file",
        ],
    ),
    (
        of(Scope::Global, Kind::Text),
        &[
            "auth_plugin",
            "bind_address",
            "connection",
            "include_dir",
            "listener",
            "log_dest",
            "log_type",
            "persistent_client_expiration",
            "plugin",
            "port",
            "retry_interval",
            "user",
        ],
    ),
    (
        new(Scope::Global, Kind::Text),
        &["global_plugin", "plugin_load", "plugin_use"],
    ),
    (
        of(Scope::Listener, Kind::Flag),
        &[
            "require_certificate",
            "use_identity_as_username",
            "use_subject_as_username",
            "use_username_as_clientid",
        ],
    ),
    (
        of(Scope::Listener, Kind::Number),
        &[
            "max_connections",
            "max_qos",
            "max_topic_alias",
            "maximum_qos",
        ],
    ),
    (
        of(Scope::Listener, Kind::Once),
        &[
            "bind_interface",
            "cafile",
            "capath",
            "certfile",
            "ciphers",
            "ciphers_tls1.3",
            "crlfile",
            "dhparamfile",
            "http_dir",
            "keyfile",
            "mount_point",
            "psk_hint",
            "tls_engine",
            "tls_engine_kpass_sha1",
            "tls_keyform",
            "tls_version",
        ],
    ),
    (
        of(Scope::Listener, Kind::Text),
        &["protocol", "socket_domain"],
    ),
    (
        of(Scope::Security, Kind::Flag),
        &["allow_anonymous", "allow_zero_length_clientid"],
    ),
    (
        of(Scope::Security, Kind::Once),
        &["acl_file", "auto_id_prefix", "password_file", "psk_file"],
    ),
];

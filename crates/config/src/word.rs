//! The words of mosquitto.conf, of 2.0 and 2.1.

/// A word, and how its value is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    /// Whose setting it is.
    pub(crate) scope: WordScope,
    /// What its value is.
    pub(crate) kind: ValueKind,
    /// Whether Mosquitto 2.0 refuses it.
    pub(crate) only_2_1: bool,
}

/// Whose setting a word is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WordScope {
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
pub(crate) enum ValueKind {
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

const fn of(scope: WordScope, kind: ValueKind) -> Word {
    Word {
        scope,
        kind,
        only_2_1: false,
    }
}

const fn new(scope: WordScope, kind: ValueKind) -> Word {
    Word {
        scope,
        kind,
        only_2_1: true,
    }
}

const WORDS: &[(Word, &[&str])] = &[
    (
        new(WordScope::Below, ValueKind::Flag),
        &[
            "disable_client_cert_date_checks",
            "listener_allow_anonymous",
            "proxy_protocol_v2_require_tls",
        ],
    ),
    (
        new(WordScope::Below, ValueKind::Number),
        &["enable_proxy_protocol", "max_topic_alias_broker"],
    ),
    (
        new(WordScope::Below, ValueKind::Text),
        &[
            "accept_protocol_versions",
            "listener_auto_id_prefix",
            "websockets_origin",
        ],
    ),
    (
        of(WordScope::Bridge, ValueKind::Flag),
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
    (
        new(WordScope::Bridge, ValueKind::Flag),
        &["bridge_tls_use_os_certs"],
    ),
    (
        of(WordScope::Bridge, ValueKind::Number),
        &[
            "bridge_max_packet_size",
            "idle_timeout",
            "keepalive_interval",
            "threshold",
        ],
    ),
    (
        new(WordScope::Bridge, ValueKind::Number),
        &[
            "bridge_max_topic_alias",
            "bridge_receive_maximum",
            "bridge_session_expiry_interval",
            "bridge_tcp_user_timeout",
        ],
    ),
    (
        of(WordScope::Bridge, ValueKind::Once),
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
        of(WordScope::Bridge, ValueKind::Text),
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
        new(WordScope::Bridge, ValueKind::Text),
        &[
            "bridge_ciphers",
            "bridge_ciphers_tls1.3",
            "bridge_reload_type",
            "bridge_tcp_keepalive",
        ],
    ),
    (
        of(WordScope::Global, ValueKind::Flag),
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
    (
        new(WordScope::Global, ValueKind::Flag),
        &["enable_control_api"],
    ),
    (
        of(WordScope::Global, ValueKind::Number),
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
        new(WordScope::Global, ValueKind::Number),
        &[
            "global_max_clients",
            "global_max_connections",
            "packet_buffer_size",
        ],
    ),
    (
        of(WordScope::Global, ValueKind::Once),
        &[
            "clientid_prefixes",
            "log_timestamp_format",
            "persistence_file",
            "persistence_location",
            "pid_file",
        ],
    ),
    (
        of(WordScope::Global, ValueKind::Text),
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
        new(WordScope::Global, ValueKind::Text),
        &["global_plugin", "plugin_load", "plugin_use"],
    ),
    (
        of(WordScope::Listener, ValueKind::Flag),
        &[
            "require_certificate",
            "use_identity_as_username",
            "use_subject_as_username",
            "use_username_as_clientid",
        ],
    ),
    (
        of(WordScope::Listener, ValueKind::Number),
        &[
            "max_connections",
            "max_qos",
            "max_topic_alias",
            "maximum_qos",
        ],
    ),
    (
        of(WordScope::Listener, ValueKind::Once),
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
        of(WordScope::Listener, ValueKind::Text),
        &["protocol", "socket_domain"],
    ),
    (
        of(WordScope::Security, ValueKind::Flag),
        &["allow_anonymous", "allow_zero_length_clientid"],
    ),
    (
        of(WordScope::Security, ValueKind::Once),
        &["acl_file", "auto_id_prefix", "password_file", "psk_file"],
    ),
];

//! The fields that a scheme may have, for messages and documents.

/// A field of a scheme.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KnownField {
    /// Its key.
    pub key: &'static str,
    /// What its value can be.
    pub value: &'static str,
    /// What it says.
    pub about: &'static str,
}

/// All fields, in the order that they are shown in.
pub const FIELDS: [KnownField; 23] = [
    field("name", TEXT, "the name of the scheme"),
    field(
        "login_name",
        "`generated`, `given`, `given-or-serial` or `suffixed`",
        "where names come from: made by the shape, or given by an administrator; `suffixed` \
         adds `@` and the tenant to a given one, and `given-or-serial` makes one where it is asked \
         for a serial number",
    ),
    field(
        "login_name_shape",
        SHAPE,
        "what names look like that are made",
    ),
    field(
        "login_name_accepts_shape",
        ACCEPTED,
        "what a name may look like besides, if its secret was given out elsewhere",
    ),
    field(
        "login_name_max_chars",
        "a whole number from 1 to 255",
        "how long a given name may be",
    ),
    field(
        "folding",
        "`none` or `upper`",
        "whether names are compared as they are, or in capitals; `none` without it",
    ),
    field(
        "name_attribute",
        "`device` or `thing_key`",
        "the attribute that a given name becomes",
    ),
    field(
        "token_login",
        "`allowed`, `never` or `required`",
        "whether the secret is the login name, too: it may be, it never is (so without this), or it \
         must be",
    ),
    field(
        "client_id",
        "`any`, `exact`, `first-use`, `prefix`, `same-as-secret` or `same-as-username`",
        "which client id must be presented: any, one that is made, the one of the first login, \
         one that begins so, the secret or the name",
    ),
    field(
        "client_id_shape",
        SHAPE,
        "what client ids look like that are made, or what they begin with",
    ),
    field(
        "client_id_accepts_shape",
        ACCEPTED,
        "what a client id may look like besides, if the secret was given out elsewhere",
    ),
    field(
        "secret_shape",
        SHAPE,
        "what secrets look like that are made",
    ),
    field(
        "accepts_shape",
        ACCEPTED,
        "what a secret may look like besides that was given out elsewhere",
    ),
    field(
        "secret_chosen",
        FLAG,
        "whether people may choose a password instead; `false` without it",
    ),
    field(
        "secret_min_chars",
        "a whole number from 1 to 1024",
        "how short a chosen password may be",
    ),
    field(
        "secret_max_chars",
        "a whole number from 1 to 1024",
        "how long a chosen password may be",
    ),
    field(
        "token_shape",
        SHAPE,
        "what the attribute `token` looks like, which is made with each credential",
    ),
    field(
        "token_accepts_shape",
        ACCEPTED,
        "what that attribute may look like besides, where it was given out elsewhere",
    ),
    field(
        "rotatable",
        FLAG,
        "whether a new secret can be made; `true` without it",
    ),
    field(
        "tls_only",
        FLAG,
        "whether its principals are refused on ports that `plugin_opt_tls_listeners` does not \
         name; `false` without it",
    ),
    field(
        "namespaces",
        FLAG,
        "whether a credential may use all topics that its tenant owns; `false` without it",
    ),
    field(
        "publish",
        PATTERNS,
        "topics that each credential may publish to",
    ),
    field(
        "subscribe",
        PATTERNS,
        "topics that each credential may subscribe to",
    ),
];

/// The keys of all fields, in that order.
pub const FIELD_KEYS: [&str; FIELDS.len()] = keys();

#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a slip in a constant does not compile"
)]
const fn keys() -> [&'static str; FIELDS.len()] {
    let mut keys = [""; FIELDS.len()];
    let mut number = 0;
    while number < keys.len() {
        keys[number] = FIELDS[number].key;
        number += 1;
    }
    keys
}

const ACCEPTED: &str = "a shape, the last count of which may be a range, like `[0-9a-f]{16,60}`";
const FLAG: &str = "`true` or `false`";
const PATTERNS: &str = "a list of topic filters, in whose levels `${username}`, `${client_id}`, \
                        `${tenant}`, `${group}` and `${attr.NAME}` may stand";
const SHAPE: &str = "a shape: letters as they are, and sets of letters with a count, like \
                     `VW-[0-9A-Z]{6}`";
const TEXT: &str = "a text";

const fn field(key: &'static str, value: &'static str, about: &'static str) -> KnownField {
    KnownField { key, value, about }
}

//! The eight schemes that every store knows.

use self::Constant::{Flag, List, Number, Text};
use super::{FieldValue, Scheme, Schemes};
use crate::kind::THING_TOPICS;

impl Schemes {
    /// The schemes that every store knows. Each call reads all eight: who asks
    /// often keeps them.
    #[must_use]
    pub fn built_in() -> Self {
        // INVARIANT: all eight can be read, which a test counts.
        Self::of(FIRST.iter().chain(&LATER).filter_map(|fields| read(fields)))
    }
}

/// Says whether stores may have a scheme of their own of this name, for they are
/// older than the built-in one.
pub(super) fn is_later(scheme: &Scheme) -> bool {
    let mut later = LATER.iter().filter_map(|fields| read(fields));
    later.any(|built_in| built_in.name() == scheme.name())
}

fn read(fields: &[(&str, Constant)]) -> Option<Scheme> {
    let fields = fields.iter().map(|(key, value)| (*key, value.to_field()));
    Scheme::from_fields(fields).ok()
}

/// A field of a constant.
enum Constant {
    Flag(bool),
    List(&'static [&'static str]),
    Number(i64),
    Text(&'static str),
}

impl Constant {
    fn to_field(&self) -> FieldValue {
        match *self {
            Self::Flag(flag) => FieldValue::Flag(flag),
            Self::List(texts) => FieldValue::List(texts.iter().copied().map(Into::into).collect()),
            Self::Number(number) => FieldValue::Number(number),
            Self::Text(text) => FieldValue::Text(text.into()),
        }
    }
}

/// Those that the first version had.
const FIRST: [&[(&str, Constant)]; 7] = [
    APPLICATION,
    BASIC,
    GENERATED,
    IMPACT,
    VWIRE,
    VWIRE_COMPAT,
    VWIRE_TOKEN,
];

/// Those that were built in later.
const LATER: [&[(&str, Constant)]; 1] = [PLAIN];

/// deviceWISE's things; the secret is that of their application.
const APPLICATION: &[(&str, Constant)] = &[
    ("name", Text("application")),
    ("login_name", Text("given")),
    ("name_attribute", Text("thing_key")),
    ("client_id", Text("first-use")),
    // An upper-case letter, a lower-case one and a digit are always there.
    ("secret_shape", Text("[A-Z][a-z][0-9][A-Za-z0-9]{29}")),
    ("publish", List(&[THING_TOPICS])),
    ("subscribe", List(&[THING_TOPICS])),
];

/// Kaa's credentials, and whatever has no scheme of its own.
const BASIC: &[(&str, Constant)] = &[
    ("name", Text("basic")),
    ("login_name", Text("suffixed")),
    ("client_id", Text("any")),
    ("secret_shape", Text("cs_[0-9a-f]{32}")),
    ("secret_chosen", Flag(true)),
    ("namespaces", Flag(true)),
];

/// Tier0's credentials, of which everything is made.
const GENERATED: &[(&str, Constant)] = &[
    ("name", Text("generated")),
    ("login_name", Text("generated")),
    ("login_name_shape", Text("[0-9]{15}")),
    ("login_name_accepts_shape", Text("[0-9]{12,19}")),
    ("client_id", Text("exact")),
    ("client_id_shape", Text("[0-9]{15}")),
    ("client_id_accepts_shape", Text("[0-9]{12,19}")),
    ("secret_shape", Text("[0-9a-f]{30}")),
    ("namespaces", Flag(true)),
];

/// IMPACT's tokens for MQTT.
const IMPACT: &[(&str, Constant)] = &[
    ("name", Text("impact")),
    ("login_name", Text("given-or-serial")),
    ("login_name_shape", Text("SN-[A-Z0-9]{12}")),
    ("login_name_max_chars", Number(50)),
    ("folding", Text("upper")),
    ("client_id", Text("any")),
    // Base64 of 32 bytes: the last character but one stands for four bits.
    ("secret_shape", Text("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")),
    ("secret_chosen", Flag(true)),
    ("secret_min_chars", Number(5)),
    ("secret_max_chars", Number(50)),
    ("token_shape", Text("[0-9a-z]{12}")),
    ("token_accepts_shape", Text("[0-9a-z]{1,13}")),
    ("publish", List(&["${attr.token}/#", "us/${attr.serial}"])),
    ("subscribe", List(&["${attr.token}/#", "us/${attr.serial}"])),
];

/// Credentials that come from elsewhere: their names stay as they are, and only
/// roles and rules of their own give them rights.
const PLAIN: &[(&str, Constant)] = &[
    ("name", Text("plain")),
    ("login_name", Text("given")),
    ("client_id", Text("any")),
    ("secret_shape", Text("cs_[0-9a-f]{32}")),
    ("secret_chosen", Flag(true)),
];

/// Vwire's devices as its first page describes them.
const VWIRE: &[(&str, Constant)] = &[
    ("name", Text("vwire")),
    ("login_name", Text("generated")),
    ("login_name_shape", Text("V[WU]-[A-Z0-9]{6}")),
    ("name_attribute", Text("device")),
    ("client_id", Text("same-as-username")),
    ("secret_shape", Text("at_[0-9a-f]{32}")),
    ("accepts_shape", Text("at_[0-9a-f]{16,60}")),
    ("publish", List(&["vwire/${username}/+/#"])),
    ("subscribe", List(&["vwire/${username}/#"])),
];

/// Vwire's devices as its shipped libraries connect them.
const VWIRE_COMPAT: &[(&str, Constant)] = &[
    ("name", Text("vwire-compat")),
    ("login_name", Text("generated")),
    ("login_name_shape", Text("V[WU]-[A-Z0-9]{6}")),
    ("name_attribute", Text("device")),
    ("token_login", Text("allowed")),
    ("client_id", Text("any")),
    ("secret_shape", Text("at_[0-9a-f]{32}")),
    ("accepts_shape", Text("at_[0-9a-f]{16,60}")),
    ("publish", List(&["vwire/${username}/+/#"])),
    ("subscribe", List(&["vwire/${username}/#"])),
];

/// Vwire's devices as its second page describes them.
const VWIRE_TOKEN: &[(&str, Constant)] = &[
    ("name", Text("vwire-token")),
    ("login_name", Text("suffixed")),
    ("name_attribute", Text("device")),
    ("token_login", Text("required")),
    ("client_id", Text("same-as-secret")),
    (
        "secret_shape",
        Text("dt_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    ),
    (
        "accepts_shape",
        Text("dt_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    ),
    ("publish", List(&["vwire/${tenant}/${attr.device}/+/#"])),
    ("subscribe", List(&["vwire/${tenant}/${attr.device}/#"])),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_eight_and_none_asks_for_tls_alone() {
        let known = Schemes::built_in();
        let names: Vec<_> = known.iter().map(|scheme| scheme.name().as_str()).collect();
        assert_eq!(
            names,
            [
                "application",
                "basic",
                "generated",
                "impact",
                "plain",
                "vwire",
                "vwire-compat",
                "vwire-token"
            ]
        );
        assert!(
            known
                .iter()
                .all(|scheme| scheme.is_rotatable() && !scheme.is_tls_only())
        );
    }

    #[test]
    fn generated_secrets_carry_128_bits_but_where_their_source_has_less() {
        for scheme in Schemes::built_in().iter() {
            let fewest = match scheme.name().as_str() {
                "generated" => 120,
                // A UUID of version 4 has six bits that never change.
                "vwire-token" => 122,
                _ => 128,
            };
            assert!(scheme.secret_shape().bits() >= fewest, "{}", scheme.name());
        }
    }
}

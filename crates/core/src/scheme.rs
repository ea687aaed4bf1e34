//! Schemes: how a kind of credential is made, told, bound and authorised, as
//! data.
//!
//! A [`Scheme`] is read from flat fields and gives them back, so that it can
//! be stored, shown and written by hand. [`Scheme::draft`] makes everything
//! that is new about a credential; [`Schemes`] are all that a store knows,
//! the eight [built in](Schemes::built_in) first.

use core::borrow::Borrow;
use core::fmt;
use core::iter;
use std::collections::BTreeMap;
use std::sync::Arc;

use self::accepted::{AcceptedShapes, FEWEST_DIGEST_BITS};
use crate::given::Given;
use crate::name::LoginName;
use crate::rule::{Action, Pattern, Rule, Variable};

mod accepted;
mod binding;
mod built_in;
mod characters;
mod contradiction;
mod draft;
mod draft_error;
mod field;
mod known;
mod overlap;
mod random;
mod reader;
mod registry;
mod secret;
mod shape;
mod shape_text;
mod shown_topic;

pub use binding::{Folding, Naming, SchemeClientIds, TokenLogin};
pub use draft::{CredentialDraft, DraftRequest};
pub use draft_error::DraftError;
pub use field::{FieldError, FieldValue};
pub use known::{FIELD_KEYS, FIELDS, KnownField};
pub use overlap::SchemeUsers;
pub use random::{RandomError, RandomSource};
pub use registry::{NameForm, SchemeTakenError, Schemes};
pub use secret::{AuthType, ChosenSecrets, DraftSecret, GivenSecret, LimitedField};
pub use shape::Shape;
pub use shape_text::ShapeError;

/// How a kind of credential is made, told, bound and authorised.
///
/// The only way to one is [`Scheme::from_fields`], which refuses what
/// contradicts itself.
///
/// # Examples
///
/// ```
/// use countersign_core::scheme::{FieldValue, Scheme};
///
/// let text = |text: &str| FieldValue::Text(text.into());
/// let scheme = Scheme::from_fields([
///     ("name", text("meter")),
///     ("login_name", text("generated")),
///     ("login_name_shape", text("M-[0-9]{8}")),
///     ("client_id", text("same-as-username")),
///     ("secret_shape", text("[0-9a-f]{32}")),
///     ("publish", FieldValue::List(vec!["meters/${username}/#".into()])),
/// ])?;
/// assert_eq!(scheme.name().as_str(), "meter");
/// assert!(scheme.is_rotatable());
/// # Ok::<(), countersign_core::scheme::FieldError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scheme {
    name: SchemeName,
    naming: Naming,
    longest_name: Option<u16>,
    folding: Folding,
    name_attribute: Option<NameAttribute>,
    token_login: TokenLogin,
    client_ids: SchemeClientIds,
    secret_shape: Shape,
    accepted: AcceptedShapes,
    chosen_secrets: Option<ChosenSecrets>,
    token_shape: Option<Shape>,
    is_rotatable: bool,
    is_tls_only: bool,
    grants_namespaces: bool,
    publish: Vec<Pattern>,
    subscribe: Vec<Pattern>,
}

impl Scheme {
    /// What the scheme is called.
    #[must_use]
    pub fn name(&self) -> &SchemeName {
        &self.name
    }

    /// Where the name of a new credential comes from.
    #[must_use]
    pub fn naming(&self) -> &Naming {
        &self.naming
    }

    /// Whether a client may present its secret as its username.
    #[must_use]
    pub fn token_login(&self) -> TokenLogin {
        self.token_login
    }

    /// Which client ids its credentials connect with.
    #[must_use]
    pub fn client_ids(&self) -> &SchemeClientIds {
        &self.client_ids
    }

    /// What the secrets it makes look like.
    #[must_use]
    pub fn secret_shape(&self) -> &Shape {
        &self.secret_shape
    }

    /// What secrets of its credentials look like: those that it makes, and those
    /// that are taken over.
    fn secrets(&self) -> impl Iterator<Item = &Shape> {
        iter::once(&self.secret_shape).chain(&self.accepted.secret)
    }

    /// What names look like that have a shape: those that it makes, and those that
    /// are taken over.
    fn names(&self) -> impl Iterator<Item = &Shape> {
        self.naming.shape().into_iter().chain(&self.accepted.name)
    }

    /// Says whether a secret that it takes over may be so weak that it must be
    /// hashed slowly.
    fn accepts_weak_secrets(&self) -> bool {
        self.secrets()
            .any(|shape| shape.bits() < FEWEST_DIGEST_BITS)
    }

    /// Within which limits a secret may be chosen, if at all.
    #[must_use]
    pub fn chosen_secrets(&self) -> Option<ChosenSecrets> {
        self.chosen_secrets
    }

    /// Says whether a credential's secret can be replaced.
    #[must_use]
    pub fn is_rotatable(&self) -> bool {
        self.is_rotatable
    }

    /// Says whether its principals are refused where there is no TLS.
    #[must_use]
    pub fn is_tls_only(&self) -> bool {
        self.is_tls_only
    }

    /// Says whether its principals may use all of their tenant's namespaces.
    #[must_use]
    pub fn grants_namespaces(&self) -> bool {
        self.grants_namespaces
    }

    /// Says whether names stay as they are given, without their tenant, so that
    /// those of all tenants share one name space.
    #[must_use]
    pub fn keeps_names(&self) -> bool {
        matches!(self.naming, Naming::Given)
    }

    /// The default rules, besides the tenant's namespaces.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        let rule = |action| move |pattern: &Pattern| Rule::allow(action, pattern.clone());
        let publish = self.publish.iter().map(rule(Action::Publish));
        publish.chain(self.subscribe.iter().map(rule(Action::Subscribe)))
    }

    /// The attributes that the scheme alone fills.
    pub fn fills(&self) -> impl Iterator<Item = &'static str> {
        let serial = match self.naming {
            Naming::GivenOrSerial(_) => Some(SERIAL),
            Naming::Generated(_) | Naming::Given | Naming::Suffixed => None,
        };
        let token = self.token_shape.as_ref().map(|_| TOKEN);
        let name = self.name_attribute.map(NameAttribute::as_str);
        [name, serial, token].into_iter().flatten()
    }

    /// Says whether what it fills may be there only once in the whole store.
    ///
    /// It must, unless its topics tell the tenants apart.
    #[must_use]
    pub fn fills_are_unique(&self) -> bool {
        let mut variables = self.patterns().flat_map(Pattern::variables);
        !variables.any(|variable| variable == Variable::Tenant)
    }

    /// What `${username}` stands for, given a credential's name and attributes.
    ///
    /// It is the attribute that keeps the entered name, if the scheme has one,
    /// so for all Vwire schemes the device id; else it is the name.
    #[must_use]
    pub fn username<'a>(
        &self,
        name: &'a LoginName,
        attributes: &'a BTreeMap<String, String>,
    ) -> Option<&'a str> {
        match self.name_attribute {
            Some(attribute) => attributes.get(attribute.as_str()).map(String::as_str),
            None => Some(name.as_str()),
        }
    }

    /// All its patterns.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.publish.iter().chain(&self.subscribe)
    }
}

/// The name of a scheme: `[a-z][a-z0-9-]{0,31}`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SchemeName(Arc<str>);

impl SchemeName {
    /// Parses the name of a scheme.
    ///
    /// # Errors
    ///
    /// Returns [`SchemeNameError`] when `text` has another shape.
    pub fn parse(text: &str) -> Result<Self, SchemeNameError> {
        let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let starts_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        if starts_well && text.len() <= LONGEST_SCHEME_NAME && text.bytes().all(is_good) {
            Ok(Self(text.into()))
        } else {
            Err(SchemeNameError(text.into()))
        }
    }

    /// The scheme that is taken where none is named.
    #[must_use]
    pub fn basic() -> Self {
        Self(BASIC.into())
    }

    /// The scheme of credentials that come from elsewhere.
    #[must_use]
    pub fn plain() -> Self {
        Self(PLAIN.into())
    }

    /// The scheme of applications and their things.
    #[must_use]
    pub fn application() -> Self {
        Self(APPLICATION.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SchemeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// So that a scheme is found by a text, which is compared as names are.
impl Borrow<str> for SchemeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A text is not a valid name of a scheme.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is not a valid scheme name; use 1 to 32 of `a-z`, `0-9` and `-`, starting with a letter"
)]
pub struct SchemeNameError(Given);

/// The attribute that keeps a name as it was entered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum NameAttribute {
    Device,
    ThingKey,
}

impl NameAttribute {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::ThingKey => KEY_ATTRIBUTE,
        }
    }
}

/// The attribute that holds the key of a thing, for a scheme's patterns.
pub const KEY_ATTRIBUTE: &str = "thing_key";
/// The attribute that keeps what stands behind `#SN#`.
const SERIAL: &str = "serial";
/// The attribute that is made by a shape of its own.
pub const TOKEN: &str = "token";
const LONGEST_SCHEME_NAME: usize = 32;
const APPLICATION: &str = "application";
const BASIC: &str = "basic";
const PLAIN: &str = "plain";

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(name: &str) -> Scheme {
        Schemes::built_in().find(name).unwrap().clone()
    }

    #[test]
    fn a_scheme_name_is_short_and_plain() {
        for good in ["a", "vwire-token", "x9-", &"a".repeat(32)] {
            assert!(SchemeName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "9a", "-a", "A", "a_b", "a.b", "ä", &"a".repeat(33)] {
            assert!(SchemeName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_scheme_fills_is_unique_unless_its_topics_hold_the_tenant() {
        let facts = |name| {
            let scheme = built_in(name);
            (
                scheme.fills().collect::<Vec<_>>(),
                scheme.fills_are_unique(),
            )
        };
        assert_eq!(facts("basic"), (vec![], true));
        assert_eq!(facts("impact"), (vec!["serial", "token"], true));
        assert_eq!(facts("vwire"), (vec!["device"], true));
        assert_eq!(facts("vwire-token"), (vec!["device"], false));
        assert_eq!(facts("application"), (vec!["thing_key"], true));
    }

    #[test]
    fn the_username_is_the_device_id_and_never_more_than_that() {
        let name = LoginName::parse("greenhouse@acme").unwrap();
        let device = BTreeMap::from([("device".to_owned(), "greenhouse".to_owned())]);
        let none = BTreeMap::new();
        let token = built_in("vwire-token");
        assert_eq!(token.username(&name, &device), Some("greenhouse"));
        assert_eq!(token.username(&name, &none), None);
        assert_eq!(
            built_in("basic").username(&name, &device),
            Some("greenhouse@acme")
        );
    }

    #[test]
    fn each_built_in_scheme_has_its_default_rules() {
        let rules = |name| {
            let rules = built_in(name)
                .rules()
                .map(|rule| rule.to_string())
                .collect::<Vec<_>>();
            rules.join(", ")
        };
        for name in ["basic", "generated"] {
            assert_eq!(rules(name), "");
            assert!(built_in(name).grants_namespaces());
        }
        assert_eq!(
            rules("impact"),
            "allow publish ${attr.token}/#, allow publish us/${attr.serial}, \
             allow subscribe ${attr.token}/#, allow subscribe us/${attr.serial}"
        );
        for name in ["vwire", "vwire-compat"] {
            assert_eq!(
                rules(name),
                "allow publish vwire/${username}/+/#, allow subscribe vwire/${username}/#"
            );
        }
        assert_eq!(
            rules("vwire-token"),
            "allow publish vwire/${tenant}/${attr.device}/+/#, \
             allow subscribe vwire/${tenant}/${attr.device}/#"
        );
        assert_eq!(
            rules("application"),
            "allow publish thing/${attr.thing_key}/#, allow subscribe thing/${attr.thing_key}/#"
        );
    }
}

//! Which topics the default rules of a scheme could reach, whatever values
//! their variables have.

use core::iter;
use std::collections::{BTreeMap, BTreeSet};

use super::{Naming, SERIAL, Scheme, SchemeClientIds, Shape, TOKEN};
use crate::name::TenantId;
use crate::rule::{Pattern, PatternLevel, PatternPart, Variable};
use crate::topic::TopicFilter;

impl Scheme {
    /// Gives a default pattern by which credentials of these users could reach
    /// a topic of the namespace, if there is one.
    ///
    /// A variable of generated shape reaches only a level of that shape, a
    /// free-form one any level. `#` is reached by a pattern alone whose first level
    /// can be any: to others it gives way. The tenant's own namespaces, which some
    /// schemes grant, are not among the patterns: they reach nobody else.
    #[must_use]
    pub fn pattern_reaching(
        &self,
        namespace: &TopicFilter,
        users: SchemeUsers<'_>,
    ) -> Option<&Pattern> {
        self.patterns().find(|pattern| {
            let levels = self.levels(pattern, users);
            levels.is_some_and(|levels| match (namespace.as_str(), levels.first()) {
                ("#", first) => first.is_some_and(|first| first.text().is_none()),
                (namespace, _) => reaches(&levels, namespace),
            })
        })
    }

    /// The topics that credentials of a tenant could reach: filters that match
    /// all of them, and more where a variable fills a level.
    #[must_use]
    pub fn reach_of(&self, tenant: &TenantId) -> BTreeSet<TopicFilter> {
        let widest = |pattern| {
            let levels = self.levels(pattern, SchemeUsers::Of(tenant))?;
            let levels: Vec<_> = levels.iter().map(LevelValue::widest).collect();
            // One that is too long for MQTT matches nothing.
            TopicFilter::parse(&levels.join("/")).ok()
        };
        self.patterns().filter_map(widest).collect()
    }

    /// Takes a pattern apart; `None` if it can never match.
    fn levels<'a>(
        &'a self,
        pattern: &'a Pattern,
        users: SchemeUsers<'a>,
    ) -> Option<Vec<LevelValue<'a>>> {
        let part = |part: &'a PatternPart| match part.variable() {
            Some(variable) => self.values(variable, users),
            None => part.text().map(LevelPart::Text),
        };
        let levels = pattern.levels().iter().map(|level| match level {
            PatternLevel::Any => Some(LevelValue::Any),
            PatternLevel::Rest => Some(LevelValue::Rest),
            PatternLevel::Parts(parts) => {
                let parts: Option<_> = parts.iter().map(part).collect();
                parts.map(LevelValue::Parts)
            }
        });
        levels.collect()
    }

    /// What a variable can stand for; `None` if it has never a value.
    fn values<'a>(
        &'a self,
        variable: Variable<'a>,
        users: SchemeUsers<'a>,
    ) -> Option<LevelPart<'a>> {
        let of_names = || match self.naming {
            Naming::Generated(_) => LevelPart::AnyOf(self.names().collect()),
            Naming::Given | Naming::GivenOrSerial(_) | Naming::Suffixed => LevelPart::Free,
        };
        // What the scheme does not fill can be changed later, to any text.
        if let (SchemeUsers::One(_, attributes), Variable::Attribute(name)) = (users, variable)
            && self.fills().any(|filled| filled == name)
        {
            return attributes.get(name).map(|value| LevelPart::Text(value));
        }
        Some(match variable {
            Variable::Attribute(SERIAL) | Variable::Group => LevelPart::Free,
            // Those that are taken over are looked up one by one.
            Variable::Attribute(TOKEN) => match &self.token_shape {
                Some(shape) => LevelPart::AnyOf(vec![shape]),
                None => LevelPart::Free,
            },
            Variable::Attribute(name) => match self.name_attribute {
                Some(attribute) if attribute.as_str() == name => of_names(),
                Some(_) | None => LevelPart::Free,
            },
            Variable::ClientId => match &self.client_ids {
                SchemeClientIds::Exact(shape) => {
                    let shapes = iter::once(shape).chain(&self.accepted.client_id);
                    LevelPart::AnyOf(shapes.collect())
                }
                SchemeClientIds::SameAsUsername => of_names(),
                SchemeClientIds::SameAsSecret => return None,
                SchemeClientIds::Any | SchemeClientIds::FirstUse | SchemeClientIds::Prefix(_) => {
                    LevelPart::Free
                }
            },
            Variable::Tenant => match users {
                SchemeUsers::AllBut(tenant) => LevelPart::TenantBut(tenant),
                SchemeUsers::Of(tenant) | SchemeUsers::One(tenant, _) => {
                    LevelPart::Text(tenant.as_str())
                }
            },
            Variable::Username => of_names(),
        })
    }
}

/// Whose credentials a question is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SchemeUsers<'a> {
    /// Those of any tenant but this one.
    AllBut(&'a TenantId),
    /// Those of this tenant.
    Of(&'a TenantId),
    /// One of this tenant, with these attributes. Those that the scheme fills stay
    /// as they are; all others may change.
    One(&'a TenantId, &'a BTreeMap<String, String>),
}

/// What a level of a pattern can be once its variables have values.
enum LevelValue<'a> {
    /// `+`
    Any,
    /// Texts, one behind the other.
    Parts(Vec<LevelPart<'a>>),
    /// `#`
    Rest,
}

impl LevelValue<'_> {
    /// The only text that it can be, if there is one alone.
    fn text(&self) -> Option<String> {
        let Self::Parts(parts) = self else {
            return None;
        };
        let texts = parts.iter().map(|part| match part {
            LevelPart::Text(text) => Some(*text),
            LevelPart::Free | LevelPart::AnyOf(_) | LevelPart::TenantBut(_) => None,
        });
        texts.collect()
    }

    /// The level of a filter that matches all that it can be.
    fn widest(&self) -> String {
        match self {
            Self::Rest => "#".into(),
            Self::Any | Self::Parts(_) => self.text().unwrap_or_else(|| "+".into()),
        }
    }

    fn can_be(&self, text: &str) -> bool {
        match self {
            Self::Any | Self::Rest => true,
            Self::Parts(parts) => {
                let start = BTreeSet::from([0]);
                let ends = parts
                    .iter()
                    .fold(start, |starts, part| part.ends(text, &starts));
                ends.contains(&text.len())
            }
        }
    }
}

/// A part of a level.
enum LevelPart<'a> {
    /// Any text at all, but not the empty one.
    Free,
    /// Any text of one of these shapes.
    AnyOf(Vec<&'a Shape>),
    /// The id of any tenant but this one.
    TenantBut(&'a TenantId),
    /// This text.
    Text(&'a str),
}

impl LevelPart<'_> {
    /// Where in `text` the part can end if it begins at one of `starts`.
    fn ends(&self, text: &str, starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        let boundaries_after = |start: usize| {
            let after = start.saturating_add(1)..=text.len();
            after.filter(|at| text.is_char_boundary(*at))
        };
        let taking = |start: usize, length: usize| {
            let end = start.saturating_add(length);
            text.get(start..end).map(|taken| (taken, end))
        };
        match self {
            Self::Free => starts
                .first()
                .copied()
                .into_iter()
                .flat_map(boundaries_after)
                .collect(),
            Self::AnyOf(shapes) => {
                let is_any = |taken: &str| shapes.iter().any(|shape| shape.matches(taken));
                let lengths = || shapes.iter().flat_map(|shape| shape.lengths());
                let ends = starts
                    .iter()
                    .flat_map(|start| lengths().filter_map(|length| taking(*start, length)));
                ends.filter_map(|(taken, end)| is_any(taken).then_some(end))
                    .collect()
            }
            Self::TenantBut(tenant) => starts
                .iter()
                .flat_map(|start| (1..=LONGEST_TENANT_ID).filter_map(|it| taking(*start, it)))
                .filter(|(taken, _)| TenantId::parse(taken).is_ok_and(|it| it != **tenant))
                .map(|(_, end)| end)
                .collect(),
            Self::Text(part) => starts
                .iter()
                .filter_map(|start| taking(*start, part.len()))
                .filter_map(|(taken, end)| (taken == *part).then_some(end))
                .collect(),
        }
    }
}

/// Says whether some topic falls under the levels and under the namespace.
fn reaches(levels: &[LevelValue<'_>], namespace: &str) -> bool {
    // No namespace begins with `$` or a wildcard, so §4.7.2 has no say here.
    let mut levels = levels.iter();
    let mut owned = namespace.split('/');
    loop {
        match (levels.next(), owned.next()) {
            (Some(LevelValue::Rest), _) | (_, Some("#")) | (None, None) => return true,
            (Some(_), Some("+")) => {}
            (Some(level), Some(literal)) if level.can_be(literal) => {}
            (Some(_) | None, _) => return false,
        }
    }
}

const LONGEST_TENANT_ID: usize = 63;

#[cfg(test)]
mod tests {
    use super::super::{FieldValue, Schemes};
    use super::*;

    fn reach(scheme: &Scheme, namespace: &str, users: SchemeUsers<'_>) -> bool {
        let namespace = TopicFilter::parse(namespace).unwrap();
        scheme.pattern_reaching(&namespace, users).is_some()
    }

    fn built_in_reaches(scheme: &str, namespace: &str) -> bool {
        let acme = TenantId::parse("acme").unwrap();
        let known = Schemes::built_in();
        reach(
            known.find(scheme).unwrap(),
            namespace,
            SchemeUsers::Of(&acme),
        )
    }

    fn pattern_reaches(pattern: &str, namespace: &str, users: SchemeUsers<'_>) -> bool {
        let text = |text: &str| FieldValue::Text(text.into());
        let scheme = Scheme::from_fields([
            ("name", text("x")),
            ("login_name", text("generated")),
            ("login_name_shape", text("d[0-9]{2}")),
            ("client_id", text("same-as-secret")),
            ("secret_shape", text("[0-9a-f]{32}")),
            ("publish", FieldValue::List(vec![pattern.into()])),
        ]);
        reach(&scheme.unwrap(), namespace, users)
    }

    #[test]
    fn a_scheme_without_patterns_reaches_nobody() {
        assert!(!built_in_reaches("basic", "other/#"));
        assert!(!built_in_reaches("generated", "acme/#"));
    }

    #[test]
    fn a_generated_variable_reaches_only_levels_of_its_shape() {
        for (scheme, namespace, is_reached) in [
            ("vwire", "vwire/#", true),
            ("vwire", "vwire", false),
            ("vwire", "vwire/VW-ABC123/#", true),
            ("vwire", "vwire/+/x", true),
            ("vwire", "vwire/acme/#", false),
            ("vwire", "vwire/VW-ABC1234/x", false),
            ("vwire", "acme/#", false),
            ("impact", "1jylmg8lwa1c/#", true),
            ("impact", "manufacturer/#", true),
            ("impact", "acme/#", false),
            ("impact", "1jylmg8lwa1cy/#", false),
            ("impact", "#", true),
            ("vwire", "#", false),
            ("vwire-token", "#", false),
        ] {
            assert_eq!(
                built_in_reaches(scheme, namespace),
                is_reached,
                "{scheme} {namespace}"
            );
        }
    }

    #[test]
    fn a_free_form_variable_reaches_any_level() {
        assert!(built_in_reaches("impact", "us/anything"));
        assert!(!built_in_reaches("impact", "us/anything/below"));
        assert!(built_in_reaches("application", "thing/x/y"));
        assert!(!built_in_reaches("application", "things/#"));
        assert!(built_in_reaches("vwire-token", "vwire/acme/ü"));
    }

    #[test]
    fn the_tenant_tells_the_topics_of_its_users_apart() {
        let tenant = |text| TenantId::parse(text).unwrap();
        let (acme, other) = (tenant("acme"), tenant("other"));
        let known = Schemes::built_in();
        let scheme = known.find("vwire-token").unwrap();
        assert!(reach(scheme, "vwire/acme/#", SchemeUsers::Of(&acme)));
        assert!(!reach(scheme, "vwire/acme/#", SchemeUsers::Of(&other)));
        assert!(!reach(scheme, "vwire/acme/#", SchemeUsers::AllBut(&acme)));
        assert!(reach(scheme, "vwire/acme/#", SchemeUsers::AllBut(&other)));
        assert!(!reach(
            scheme,
            "vwire/VW-ABC123/#",
            SchemeUsers::AllBut(&other)
        ));
        assert!(reach(scheme, "vwire/+/x/#", SchemeUsers::AllBut(&acme)));
    }

    #[test]
    fn what_a_scheme_reaches_has_wildcards_for_all_variables_but_the_tenant() {
        let acme = TenantId::parse("acme").unwrap();
        let known = Schemes::built_in();
        for (scheme, reach) in [
            ("basic", &[] as &[_]),
            ("vwire", &["vwire/+/#", "vwire/+/+/#"]),
            ("vwire-token", &["vwire/acme/+/#", "vwire/acme/+/+/#"]),
            ("impact", &["+/#", "us/+"]),
            ("application", &["thing/+/#"]),
        ] {
            let found = known.find(scheme).unwrap().reach_of(&acme);
            let mut found: Vec<_> = found.iter().map(TopicFilter::as_str).collect();
            found.sort_by_key(|text| text.len());
            let mut reach = reach.to_vec();
            reach.sort_by_key(|text| text.len());
            assert_eq!(found, reach, "{scheme}");
        }
    }

    #[test]
    fn the_parts_of_a_level_are_read_together() {
        let acme = TenantId::parse("acme").unwrap();
        let users = SchemeUsers::AllBut(&acme);
        for (pattern, namespace, is_reached) in [
            ("a/x-${username}-y", "a/x-d12-y", true),
            ("a/x-${username}-y", "a/x-d1-y", false),
            ("a/x-${username}-y", "a/x-d12-", false),
            ("a/${username}${username}", "a/d12d34", true),
            ("a/${group}${username}", "a/d12", false),
            ("a/${group}${username}", "a/ééd12", true),
            ("a/${attr.free}-${attr.free}", "a/--", false),
            ("a/${attr.free}-${attr.free}", "a/---", true),
            ("a/${attr.free}", "a/", false),
            ("a/x${tenant}", "a/xacme", false),
            ("a/x${tenant}", "a/xacm", true),
            ("a/x${tenant}", "a/xACME", false),
            ("a/x${tenant}${group}", "a/xacme", true),
            ("a/${client_id}", "a/x", false),
            ("${username}/+/#", "d12/x", true),
            ("${username}/+/x", "d12/y/#", true),
            ("${username}/+/x", "d12/y/z", false),
            ("+/x", "a/x", true),
            ("#", "a", true),
            ("+/x", "#", true),
            ("#", "#", true),
            ("x${username}/x", "#", true),
            ("x/${username}", "#", false),
        ] {
            assert_eq!(
                pattern_reaches(pattern, namespace, users),
                is_reached,
                "{pattern} {namespace}"
            );
        }
    }
}

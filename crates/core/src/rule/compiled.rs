//! The compiled rules about one action.

use super::pattern::BoundPattern;
use super::table::Table;
use super::{Effect, Limits, Rule};

/// The rules about one action.
#[derive(Clone, Debug)]
pub(super) struct ActionRules {
    pub(super) allow: Table<CompiledRule>,
    pub(super) deny: Table<CompiledRule>,
    /// Allow rules that match nothing, by index.
    pub(super) unbound: Box<[usize]>,
}

impl From<SideBuilder> for ActionRules {
    fn from(draft: SideBuilder) -> Self {
        Self {
            allow: Table::new(draft.allow),
            deny: Table::new(draft.deny),
            unbound: draft.unbound.into(),
        }
    }
}

/// A side that is still being filled.
#[derive(Default)]
pub(super) struct SideBuilder {
    allow: Vec<(BoundPattern, CompiledRule)>,
    deny: Vec<(BoundPattern, CompiledRule)>,
    unbound: Vec<usize>,
}

impl SideBuilder {
    pub(super) fn add(&mut self, effect: Effect, bound: Vec<BoundPattern>, grant: CompiledRule) {
        if bound.is_empty() {
            self.unbound.push(grant.rule);
        }
        let side = match effect {
            Effect::Allow => &mut self.allow,
            Effect::Deny => &mut self.deny,
        };
        side.extend(bound.into_iter().map(|bound| (bound, grant)));
    }
}

/// What of its pattern a rule is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// All topics that the pattern matches.
    Topics,
    /// The SUBSCRIBE of the pattern itself, and what it delivers.
    LiteralAllow,
    /// The SUBSCRIBE of the pattern itself alone.
    LiteralDeny,
}

impl Reach {
    pub(super) fn of(rule: &Rule) -> Self {
        match (rule.is_literal(), rule.effect()) {
            (false, _) => Self::Topics,
            (true, Effect::Allow) => Self::LiteralAllow,
            (true, Effect::Deny) => Self::LiteralDeny,
        }
    }
}

/// What a rule says beside its pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompiledRule {
    /// The rule's index in the order it was given.
    pub(super) rule: usize,
    pub(super) limits: Limits,
    pub(super) reach: Reach,
    /// Whether a SUBSCRIBE with a wildcard is granted.
    pub(super) grants_wildcards: bool,
    /// The rule allows only what the tenant owns.
    pub(super) is_confined: bool,
}

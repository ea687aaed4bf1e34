//! What a principal may do, read naively and independently of the product.

use crate::naive::{covers, intersects, matches};

/// Publish or subscribe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Publish,
    Subscribe,
}

/// A rule with its variables filled in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    pub allow: bool,
    pub publish: bool,
    pub subscribe: bool,
    pub pattern: String,
}

impl Rule {
    /// An allow rule for both actions.
    pub fn both(pattern: impl Into<String>) -> Self {
        Self {
            allow: true,
            publish: true,
            subscribe: true,
            pattern: pattern.into(),
        }
    }

    /// An allow rule for one action.
    pub fn one(action: Action, pattern: impl Into<String>) -> Self {
        Self {
            publish: action == Action::Publish,
            subscribe: action == Action::Subscribe,
            ..Self::both(pattern)
        }
    }

    fn is_about(&self, action: Action) -> bool {
        match action {
            Action::Publish => self.publish,
            Action::Subscribe => self.subscribe,
        }
    }
}

/// All rules of one principal at one moment.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// The tenant; an operator has none.
    pub tenant: Option<String>,
    /// Whether a SUBSCRIBE that is too wide is taken and filtered.
    pub filtered: bool,
    /// What its scheme gives it.
    pub base: Vec<Rule>,
    /// What its roles and its own rules say; they reach the tenant's topics alone.
    pub own: Vec<Rule>,
}

/// The topic of session commands.
pub const COMMANDS: &str = "$CONTROL/countersign/v1/session";

impl Rights {
    /// Whether a message on `topic` may be published, or delivered.
    pub fn may(&self, action: Action, topic: &str) -> bool {
        if action == Action::Publish && topic == COMMANDS {
            return true;
        }
        if !self.is_within_walls(topic) {
            return false;
        }
        let owned = self.owns(topic);
        let holds = |rule: &&Rule| rule.is_about(action) && matches(&rule.pattern, topic);
        let mut own = self.own.iter().filter(holds);
        let mut base = self.base.iter().filter(holds);
        if own.clone().chain(base.clone()).any(|rule| !rule.allow) {
            return false;
        }
        base.any(|rule| rule.allow) || (owned && own.any(|rule| rule.allow))
    }

    /// Whether a SUBSCRIBE to `filter` may be granted.
    pub fn may_subscribe(&self, filter: &str) -> bool {
        let shared = filter.starts_with("$share/");
        let filter = match filter.strip_prefix("$share/") {
            Some(rest) => rest.split_once('/').map_or("", |(_, filter)| filter),
            None => filter,
        };
        let rules = || {
            let both = self.base.iter().chain(&self.own);
            both.filter(|rule| rule.is_about(Action::Subscribe))
        };
        let denied = |rule: &Rule| {
            !rule.allow
                && if shared {
                    intersects(&rule.pattern, filter)
                } else {
                    covers(&rule.pattern, filter)
                }
        };
        if rules().any(denied) {
            return false;
        }
        rules().any(|rule| {
            rule.allow
                && if self.filtered && !shared {
                    intersects(&rule.pattern, filter)
                } else {
                    covers(&rule.pattern, filter)
                }
        })
    }

    fn owns(&self, topic: &str) -> bool {
        match &self.tenant {
            None => true,
            Some(tenant) => first_level(topic) == tenant,
        }
    }

    fn is_within_walls(&self, topic: &str) -> bool {
        match &self.tenant {
            None => true,
            Some(tenant) => {
                let first = first_level(topic);
                first == tenant || !TENANTS.contains(&first)
            }
        }
    }
}

/// All tenants; each owns the topics below its name.
pub const TENANTS: [&str; 4] = ["alpha", "beta", "gamma", "open"];

fn first_level(topic: &str) -> &str {
    topic.split('/').next().unwrap_or_default()
}

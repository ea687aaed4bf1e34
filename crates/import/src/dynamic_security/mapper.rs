//! What each object of the file comes to.

use std::collections::{HashMap, HashSet};

use countersign_admin::import::ImportedTenant;
use countersign_control::acl::DEFAULT_ROLE;
use countersign_core::name::GroupPath;
use countersign_core::role::RoleName;
use countersign_core::rule::Effect;

use super::client;
use super::defaults::default_access;
use super::deliveries::{ByDefault, join_deliveries};
use super::names::Names;
use super::order::Order;
use super::rules::{
    RoleAcl, WIDEN, Wildcards, as_own_rules, grants_wildcard, lose_what_comes_first, of_roles,
    tell_denies_that_take_more,
};
use super::versions::{keep_from_reserved, tell_allows_of_reserved, tell_variables};
use crate::plan::ImportOptions;
use crate::plan::desired::{
    Desired, DesiredRole, DesiredRule, DesiredTenant, HeldRole, Item, JoinedGroup, Outcome,
};
use crate::source::dynamic_security::{DefaultUse, DynamicSecurity, Group, Membership, Role};
use crate::users::{Users, as_own, is_operator};

/// Makes of objects what is wanted.
pub(super) struct Mapper<'a> {
    options: &'a ImportOptions,
    /// Whether the tenant's defaults can be said.
    says_defaults: bool,
    /// Whether clients without a login are let in here.
    is_open: bool,
    default_role: Option<RoleName>,
    roles: Names<RoleName>,
    groups: Names<GroupPath>,
    order: Order,
    users: Users,
    items: Vec<Item>,
}

/// Who holds a role.
#[derive(Default)]
struct Holders<'a> {
    /// Roles that operators hold, by role.
    of_operators: HashMap<&'a str, Vec<&'a str>>,
    /// Roles that others hold.
    of_others: HashSet<&'a str>,
}

impl<'a> Mapper<'a> {
    /// Begins to map.
    pub(super) fn new(
        options: &'a ImportOptions,
        found: &ImportedTenant,
        read: &DynamicSecurity,
    ) -> Self {
        let default_role = RoleName::parse(DEFAULT_ROLE).ok();
        let roles = read.roles.iter().map(|role| &*role.name);
        let tenant = found.tenant.as_ref();
        Self {
            options,
            says_defaults: found.takes_defaults(),
            is_open: tenant.is_some_and(|tenant| tenant.authentication.admits_anonymous()),
            roles: Names::of_roles(roles, default_role.as_ref()),
            default_role,
            groups: Names::of_groups(read.groups.iter().map(|group| &*group.name)),
            order: Order::of(read),
            users: Users::default(),
            items: Vec::new(),
        }
    }

    /// What the file wants.
    pub(super) fn map(mut self, read: DynamicSecurity) -> Desired {
        for passed in &read.passed_over {
            let how = format!("{}; nor is it used here", passed.why);
            let (place, what) = (passed.place.clone(), passed.what.clone());
            self.items
                .push(Item::new(place, what, Outcome::Changed(how.into())));
        }
        // What the file does not say is denied there, too.
        let allows = |of| {
            let mut access = read.default_access.iter();
            access.any(|it| it.of == of && it.is_allowed)
        };
        let subscribes = allows(DefaultUse::Subscribe);
        let delivers = allows(DefaultUse::Deliver);
        let mut acls = of_roles(&read.roles);
        let by_default = ByDefault {
            delivers,
            subscribes,
        };
        if !read.is_of_2_1 {
            tell_variables(&mut acls);
        }
        keep_from_reserved(&mut acls, &self.order, by_default);
        lose_what_comes_first(&mut acls, &self.order);
        tell_denies_that_take_more(&mut acls, subscribes);
        join_deliveries(&read.roles, &mut acls, &self.order, by_default);
        if !read.is_of_2_1 {
            tell_allows_of_reserved(&mut acls);
        }
        let wildcards = Wildcards::of(&read.roles, &mut acls, &self.order, subscribes);

        let holders = self.holders(&read);
        let anonymous = self.anonymous(&read);
        let (rules, mut items) = default_access(&read.default_access, delivers);
        if self.is_open && !self.says_defaults && !rules.is_empty() {
            let tenant = &self.options.tenant.id;
            let how = format!(
                "clients without a login are not given it: tenant `{tenant}` is taken as it is"
            );
            let uses = [DefaultUse::Publish, DefaultUse::Subscribe];
            for (item, access) in items.iter_mut().zip(&read.default_access) {
                if access.is_allowed && uses.contains(&access.of) {
                    item.change(how.as_str());
                }
            }
        }
        if let Some(role) = &wildcards.keeps_from_defaults {
            let why = format!(
                "role `{role}` keeps its holders from wildcards there; here nobody is granted any \
                 by default"
            );
            let access = read.default_access.iter().zip(&mut items);
            let mut subscribe = access.filter(|(access, _)| access.of == DefaultUse::Subscribe);
            if let Some((_, item)) = subscribe.next() {
                item.lose(&why, WIDEN);
            }
        }
        self.items.extend(items);
        let default_name = self.default_role.clone().filter(|_| !rules.is_empty());
        let default = default_name.clone().map(|name| DesiredRole {
            rules,
            no_wildcards: wildcards.keeps_from_defaults.is_some(),
            is_default: self.says_defaults,
            // It holds for clients without a login as well.
            is_anonymous: self.says_defaults,
            ..DesiredRole::new(name)
        });
        let mut groups = self.group_roles(&read.groups);
        let mut roles = Vec::new();
        let mut own_rules: HashMap<&str, Vec<DesiredRule>> = HashMap::new();
        for (place, (role, mut acls)) in read.roles.iter().zip(acls).enumerate() {
            let no_wildcards = !role.allows_wildcard_subscriptions || wildcards.are_withheld(place);
            if let Some(operators) = holders.of_operators.get(&*role.name) {
                let own = as_own_rules(&mut acls, no_wildcards);
                for operator in operators {
                    own_rules.entry(operator).or_default().extend(as_own(&own));
                }
            }
            let rules: Vec<DesiredRule> =
                acls.into_iter().flat_map(RoleAcl::into_desired).collect();
            let is_only_operators = holders.of_operators.contains_key(&*role.name)
                && !holders.of_others.contains(&*role.name);
            let joined = groups.remove(&*role.name).unwrap_or_default();
            let Some(mut made) = self.role(role, rules, joined) else {
                continue;
            };
            made.no_wildcards = no_wildcards;
            for item in &mut made.items {
                wildcards.tell(place, item);
            }
            if is_only_operators {
                // They have its rules as their own.
                self.items.extend(made.into_items());
                continue;
            }
            made.is_anonymous = self.says_defaults && anonymous.contains(&*role.name);
            roles.push(made);
        }
        for client in &read.clients {
            let credential = self.users.named(&client.username);
            client::fill(credential, client, self.options.accept_weak);
            if is_operator(&self.options.operators, &client.username) {
                let own = own_rules.remove(&*client.username);
                credential.rules.extend(own.into_iter().flatten());
                if let Some(default) = &default {
                    let rules = default.rules.iter();
                    let own =
                        rules.filter(|desired| !default.no_wildcards || !grants_wildcard(desired));
                    credential.rules.extend(as_own(own));
                }
                self.items.extend(client.roles.iter().map(kept));
                continue;
            }
            for held in &client.roles {
                let role = self.roles.find(&held.name);
                credential.roles.extend(role.map(|role| HeldRole {
                    item: Some(kept(held)),
                    role: role.clone(),
                }));
            }
            if !self.says_defaults {
                credential
                    .roles
                    .extend(default_name.iter().map(|role| HeldRole {
                        item: None,
                        role: role.clone(),
                    }));
            }
        }
        roles.extend(default);
        // Those that only take away come first.
        roles.sort_by_key(|role| {
            let mut rules = role
                .rules
                .iter()
                .filter_map(|desired| desired.rule.as_ref());
            rules.any(|rule| rule.effect() == Effect::Allow)
        });
        self.join(&read.groups);
        drop(own_rules);
        Desired {
            source: "dynamic-security",
            tenant: DesiredTenant::default(),
            roles,
            credentials: self.users.into_vec(),
            items: self.items,
        }
    }

    /// Who holds which role, by itself, by a group, or without a name.
    fn holders<'r>(&self, read: &'r DynamicSecurity) -> Holders<'r> {
        let mut holders = Holders::default();
        let mut hold = |client: &'r str, role: &'r str| {
            if is_operator(&self.options.operators, client) {
                holders.of_operators.entry(role).or_default().push(client);
            } else {
                holders.of_others.insert(role);
            }
        };
        for client in &read.clients {
            for role in &client.roles {
                hold(&client.username, &role.name);
            }
        }
        for group in &read.groups {
            for (client, role) in group
                .clients
                .iter()
                .flat_map(|client| group.roles.iter().map(move |role| (client, role)))
            {
                hold(&client.name, &role.name);
            }
        }
        let anonymous = read.anonymous_group.as_ref();
        for group in &read.groups {
            let is_anonymous = anonymous.is_some_and(|it| it.name == group.name);
            if is_anonymous || group.clients.is_empty() {
                holders
                    .of_others
                    .extend(group.roles.iter().map(|role| &*role.name));
            }
        }
        holders
    }

    /// The roles of clients without a login.
    fn anonymous(&mut self, read: &DynamicSecurity) -> HashSet<Box<str>> {
        let Some(anonymous) = &read.anonymous_group else {
            return HashSet::new();
        };
        let tenant = &self.options.tenant.id;
        let mut item = kept(anonymous);
        if !self.says_defaults {
            item.lose(
                &format!("tenant `{tenant}` is taken as it is"),
                "give the roles to clients without a login: `tenant set --add-anonymous-role`",
            );
        } else if !self.is_open {
            item.change(format!(
                "the file does not say whether clients without a login are let in: tenant `{tenant}` \
                 lets none in (`required`)"
            ));
        }
        self.items.push(item);
        let group = read
            .groups
            .iter()
            .find(|group| group.name == anonymous.name);
        let roles = group.into_iter().flat_map(|group| &group.roles);
        roles.map(|role| role.name.clone()).collect()
    }

    /// Which groups hold each role.
    fn group_roles(&mut self, groups: &[Group]) -> HashMap<Box<str>, Vec<JoinedGroup>> {
        let mut held: HashMap<Box<str>, Vec<JoinedGroup>> = HashMap::new();
        for group in groups {
            let Some(path) = self.groups.find(&group.name) else {
                continue;
            };
            let mut item = Item::kept(group.place.clone(), group.name.clone());
            tell_name(&mut item, path.as_str());
            if group.texts.name.is_some() || group.texts.description.is_some() {
                item.change(
                    "what is written about it is not kept: a group is only its members and roles",
                );
            }
            self.items.push(item);
            for role in &group.roles {
                let joined = held.entry(role.name.clone()).or_default();
                joined.push(JoinedGroup {
                    item: Some(kept(role)),
                    group: path.clone(),
                });
            }
        }
        held
    }

    /// A role, with its rules and the groups that hold it.
    fn role(
        &self,
        role: &Role,
        rules: Vec<DesiredRule>,
        groups: Vec<JoinedGroup>,
    ) -> Option<DesiredRole> {
        let mut item = Item::kept(role.place.clone(), role.name.clone());
        let name = self.roles.find(&role.name)?.clone();
        tell_name(&mut item, name.as_str());
        let description = client::description(&role.texts, &mut item);
        Some(DesiredRole {
            items: vec![item],
            description,
            rules,
            groups,
            ..DesiredRole::new(name)
        })
    }

    /// Puts clients into their groups.
    fn join(&mut self, groups: &[Group]) {
        for group in groups {
            for member in &group.clients {
                let item = kept(member);
                if is_operator(&self.options.operators, &member.name) {
                    // It has the rules of the group's roles as its own.
                    self.items.push(item);
                    continue;
                }
                let path = self.groups.find(&group.name);
                let joined = path.map(|path| JoinedGroup {
                    item: Some(item),
                    group: path.clone(),
                });
                self.users.named(&member.name).groups.extend(joined);
            }
        }
    }
}

/// Tells what something is called here, if that is another name.
fn tell_name(item: &mut Item, name: &str) {
    if *item.what != *name {
        item.change(format!("it is called `{name}` here"));
    }
}

fn kept(membership: &Membership) -> Item {
    Item::kept(membership.place.clone(), membership.name.clone())
}

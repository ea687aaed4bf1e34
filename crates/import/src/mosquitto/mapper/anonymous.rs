//! What is told of lines for clients without a login.

use countersign_core::rule::Effect;
use countersign_core::tenant::Authentication;

use super::Mapper;
use crate::mosquitto::anonymous::misfit;
use crate::place::Place;
use crate::plan::desired::{Item, Outcome};

impl Mapper<'_> {
    /// Tells what becomes of lines for clients without a login, where the tenant
    /// lets none in or can't be told.
    pub(super) fn tell_anonymous(
        &mut self,
        admits: Option<bool>,
        whole: Option<Place>,
        has_acl: bool,
    ) {
        let tenant = &self.options.tenant.id;
        let misfit = self.mode.and_then(|mode| misfit(tenant, mode, admits));
        if let (Some(outcome), Some(place)) = (misfit, &whole) {
            self.gives_anonymous = false;
            self.items
                .push(Item::new(place.clone(), "allow_anonymous", outcome));
        }
        if !self.says_defaults {
            let why = format!("tenant `{tenant}` is taken as it is");
            let fix = "allow it in a role, and give that to clients without a login: `tenant set --add-anonymous-role`";
            for desired in &mut self.anonymous {
                desired.rule = None;
                if let Some(item) = &mut desired.item {
                    item.lose(&why, fix);
                }
            }
            return;
        }
        let is_open = self.mode.map(Authentication::admits_anonymous);
        let how = match (is_open, admits) {
            (Some(true), _) | (_, Some(false)) | (None, Some(true)) => return,
            (Some(false), _) => {
                format!("tenant `{tenant}` lets no client in without a login (`required`)")
            }
            (None, None) => format!(
                "files alone do not say whether clients without a login are let in: tenant \
                 `{tenant}` lets none in (`required`)"
            ),
        };
        let anonymous = self.anonymous.iter_mut();
        let told = anonymous.filter_map(|desired| desired.item.as_mut());
        let mut is_told = false;
        for item in told {
            item.change(how.as_str());
            is_told = true;
        }
        if is_told {
            return;
        }
        let mut patterns = self.patterns.iter_mut();
        if let Some(item) = patterns.find_map(|desired| desired.item.as_mut()) {
            item.change(how);
        } else if let Some(place) = whole
            && (is_open.is_none() || admits.is_some())
        {
            let how = if has_acl || admits.is_some() {
                how
            } else {
                format!(
                    "{how}; nor what its users may do: they may do nothing until they hold rules or roles"
                )
            };
            self.items.push(Item::new(
                place,
                "allow_anonymous",
                Outcome::Changed(how.into()),
            ));
        }
    }

    /// Tells that clients without a login read the broker's own topics once they are in
    /// a tenant, as nobody owns these.
    pub(super) fn tell_sys(&mut self) {
        let tenant = &self.options.tenant.id;
        for desired in self.anonymous.iter_mut().chain(&mut self.patterns) {
            let reads = desired.rule.as_ref().is_some_and(|rule| {
                rule.effect() == Effect::Allow && rule.pattern().as_str().starts_with("$SYS")
            });
            if let Some(item) = desired.item.as_mut().filter(|_| reads) {
                item.change(format!(
                    "clients without a login may subscribe to it from the beginning with \
                     `plugin_opt_default_tenant {tenant}` alone"
                ));
            }
        }
    }
}

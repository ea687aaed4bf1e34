//! Of which tenant a page shows what there is.

use countersign_admin::Permission;
use maud::{Markup, html};

use super::ask::Ask;
use super::form::Form;
use super::pieces::{Field, list, text};
use crate::call::{Call, IsPermitted};
use crate::problem::Problem;

/// The tenants of whoever asks, and the one that a page is about.
pub(super) struct Scope {
    /// None where it is about all of them.
    pub(super) tenant: Option<String>,
    /// The first of those that the asker sees.
    pub(super) known: Vec<String>,
    pub(super) is_platform: bool,
}

impl Scope {
    /// The tenant that is named; else all of them, or the asker's first.
    pub(super) fn of(call: &mut Call<'_>, words: &Form) -> Result<Self, Problem> {
        let is_platform = call.run(&IsPermitted(Permission::Platform)).is_ok();
        let listed = Ask::get("/api/v1/tenants").value(call)?;
        let tenants = list(&listed, "items").iter();
        let known: Vec<_> = tenants.map(|it| text(it, "id").to_owned()).collect();
        let named = words.text("tenant").map(str::to_owned);
        let usual = known.first().filter(|_| !is_platform).cloned();
        Ok(Self {
            tenant: named.or(usual),
            known,
            is_platform,
        })
    }

    /// Whether there is anything that the asker may list.
    pub(super) fn sees_something(&self) -> bool {
        self.is_platform || self.tenant.is_some()
    }

    pub(super) fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The same, which must be one: the first there is.
    pub(super) fn one(&self) -> Option<&str> {
        self.tenant()
            .or_else(|| self.known.first().map(String::as_str))
    }

    /// A field that names it.
    pub(super) fn field(&self, is_required: bool) -> Markup {
        let tenant = if is_required {
            self.one()
        } else {
            self.tenant()
        };
        let field = Field::new("tenant", "Tenant")
            .value(tenant.unwrap_or_default())
            .list("tenants");
        let field = if is_required { field.required() } else { field };
        html! {
            (field.show())
            (self.datalist())
        }
    }

    fn datalist(&self) -> Markup {
        html! {
            datalist id="tenants" {
                @for tenant in &self.known { option value=(tenant) {} }
            }
        }
    }
}

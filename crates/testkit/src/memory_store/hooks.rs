//! Hooks of other brokers.

use countersign_core::hook::{Hook, HookName};
use countersign_core::store::rows::HookRows;
use countersign_core::store::{Listed, Page, StoreError};

use super::MemoryTransaction;
use super::errors::found;
use super::table::page_of;

impl HookRows for MemoryTransaction<'_> {
    fn hook(&mut self, name: &HookName) -> Result<Option<Hook>, StoreError> {
        Ok(self.tables.hooks.get(name).cloned())
    }

    fn hooks(&mut self, page: &Page<HookName>) -> Result<Listed<Hook>, StoreError> {
        let hooks = self.tables.hooks.values();
        Ok(page_of(hooks.cloned().collect(), page))
    }

    fn put_hook(&mut self, hook: &Hook) -> Result<(), StoreError> {
        let tenant = hook.tenant.as_ref();
        let has_tenant = tenant.is_none_or(|id| self.tables.tenants.contains_key(id));
        found(has_tenant, "the tenant")?;
        self.tables.hooks.put(hook.name.clone(), hook.clone());
        Ok(())
    }

    fn remove_hook(&mut self, name: &HookName) -> Result<bool, StoreError> {
        Ok(self.tables.hooks.remove(name))
    }
}

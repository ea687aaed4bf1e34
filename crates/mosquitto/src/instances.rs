//! The plugins of one broker, which know of each other: each listener may have
//! one of its own.
//!
//! All of them belong to the broker's thread, and so does this list.

use core::cell::RefCell;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use crate::plugin::Plugin;

thread_local! {
    static PLUGINS: RefCell<Vec<Instance>> = const { RefCell::new(Vec::new()) };
}

/// A plugin, and what no two of a broker may have in common.
struct Instance {
    plugin: Weak<Plugin>,
    key: InstanceKey,
}

/// What no two plugins of a broker may have in common.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct InstanceKey {
    /// The store.
    pub(crate) store: PathBuf,
    /// The name that it knows the broker by.
    pub(crate) broker: String,
}

/// Adds a plugin.
pub(crate) fn join(plugin: &Rc<Plugin>, key: InstanceKey) {
    let plugin = Rc::downgrade(plugin);
    PLUGINS.with_borrow_mut(|plugins| plugins.push(Instance { plugin, key }));
}

/// Removes a plugin.
pub(crate) fn leave(plugin: &Rc<Plugin>) {
    let is_other = |member: &Instance| !core::ptr::eq(member.plugin.as_ptr(), Rc::as_ptr(plugin));
    PLUGINS.with_borrow_mut(|plugins| plugins.retain(is_other));
}

/// Says whether a plugin has this role already.
pub(crate) fn has(key: &InstanceKey) -> bool {
    PLUGINS.with_borrow(|plugins| plugins.iter().any(|member| member.key == *key))
}

/// The others.
pub(crate) fn others(plugin: &Plugin) -> Vec<Rc<Plugin>> {
    PLUGINS.with_borrow(|plugins| {
        let all = plugins.iter().filter_map(|member| member.plugin.upgrade());
        all.filter(|it| !core::ptr::eq(&raw const **it, plugin))
            .collect()
    })
}

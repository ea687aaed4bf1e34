//! The settings, which hold for a whole store.

use core::time::Duration;

use countersign_core::ban::AutoBan;
use countersign_core::change::Change;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::secret::Argon2Params;
use countersign_core::store::{Intent, Settings, all_rows};
use countersign_core::time::Timestamp;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::view::SettingsView;

/// What to change of the settings; what is none stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingsChanges {
    /// How chosen passwords are hashed from now on. Stored ones keep working.
    pub argon2: Option<Argon2Params>,
    /// How long a client id is held after its last use.
    pub client_id_hold: Option<Duration>,
    /// How long refusals are kept in the audit.
    pub keep_refusals: Option<Duration>,
    /// How many client ids of one credential are remembered, and how many more
    /// an hour.
    pub client_id_limit: Option<u32>,
    /// When users are locked out, unless their tenants say otherwise.
    pub lockout: Option<LockoutPolicy>,
    /// Whether a password that is hashed in another way is hashed anew once it let
    /// a client in.
    pub rehash: Option<bool>,
    /// When addresses are banned by themselves.
    pub auto_ban: Option<AutoBan>,
}

impl SettingsChanges {
    /// Says whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.argon2.is_none()
            && self.client_id_hold.is_none()
            && self.keep_refusals.is_none()
            && self.client_id_limit.is_none()
            && self.lockout.is_none()
            && self.rehash.is_none()
            && self.auto_ban.is_none()
    }
}

/// Shows the settings.
#[derive(Clone, Copy, Debug)]
pub struct ShowSettings;

impl Command for ShowSettings {
    type Output = Settings;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Settings, AdminError> {
        Ok(tx.settings()?)
    }
}

/// Changes the settings; what they are then is the output.
#[derive(Clone, Copy, Debug)]
pub struct SetSettings(pub SettingsChanges);

impl Command for SetSettings {
    type Output = Settings;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Settings, AdminError> {
        let Self(changes) = self;
        let before = tx.settings()?;
        let after = Settings {
            argon2: changes.argon2.unwrap_or(before.argon2),
            client_id_hold: changes.client_id_hold.unwrap_or(before.client_id_hold),
            keep_refusals: changes.keep_refusals.unwrap_or(before.keep_refusals),
            client_id_limit: changes.client_id_limit.unwrap_or(before.client_id_limit),
            lockout: changes.lockout.unwrap_or(before.lockout),
            rehash: changes.rehash.unwrap_or(before.rehash),
            auto_ban: changes.auto_ban.unwrap_or(before.auto_ban),
        };
        tx.set_settings(&after)?;
        tx.record(
            "settings.set",
            "settings",
            Some(&SettingsView::of(&before)),
            Some(&SettingsView::of(&after)),
        );
        tx.changed(Change::Everything);
        Ok(after)
    }
}

/// Gives a new store its settings, which the first row of its audit tells.
#[derive(Clone, Copy, Debug)]
pub struct CreateStore(pub Settings);

impl Command for CreateStore {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let Self(settings) = self;
        tx.set_settings(settings)?;
        tx.record(
            "store.create",
            "store",
            None,
            Some(&SettingsView::of(settings)),
        );
        Ok(())
    }
}

/// Writes down that a store was made of a backup: no broker has used it yet.
#[derive(Clone, Copy, Debug)]
pub struct RecordRestore;

impl Command for RecordRestore {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        for broker in all_rows(|page| tx.brokers(page))? {
            tx.remove_broker(&broker.record.name)?;
        }
        // Whoever was signed in then may have signed out since.
        let ever = Timestamp::from_millis(i64::MAX);
        tx.remove_idle_web_sessions(ever, MOST)?;
        tx.record("store.restore", "store", None::<&()>, None);
        Ok(())
    }
}

/// More web sessions than a store has.
const MOST: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn settings_read_back_as_they_were_set() {
        let mut fixture = Fixture::new();
        let argon2 = Argon2Params::parse("m=47104,t=1,p=1").unwrap();
        let hold = Duration::from_secs(90);
        let lockout = LockoutPolicy::parse("failures=3,step=1m,longest=1h").unwrap();
        let auto_ban = AutoBan::parse("20/10m:1h").unwrap();
        for changes in [
            SettingsChanges {
                argon2: Some(argon2),
                ..SettingsChanges::default()
            },
            SettingsChanges {
                client_id_hold: Some(hold),
                ..SettingsChanges::default()
            },
            SettingsChanges {
                lockout: Some(lockout),
                rehash: Some(false),
                ..SettingsChanges::default()
            },
            SettingsChanges {
                auto_ban: Some(auto_ban),
                ..SettingsChanges::default()
            },
        ] {
            fixture.run(&SetSettings(changes)).unwrap();
        }
        let settings = fixture.run(&ShowSettings).unwrap();
        assert_eq!((settings.argon2, settings.client_id_hold), (argon2, hold));
        assert_eq!((settings.lockout, settings.rehash), (lockout, false));
        assert_eq!(settings.auto_ban, auto_ban);
        assert_eq!(fixture.acts(), ["settings.set settings"; 4]);
    }
}

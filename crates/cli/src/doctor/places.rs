//! What is known about the places that clients arrive at: of brokers, as they
//! described themselves, and of configurations.

use std::path::Path;

use countersign_admin::broker::ShowBroker;
use countersign_admin::check::{Listeners, described_listeners};
use countersign_config::BrokerConfig;
use countersign_store::AnyStore;

use super::{Problem, broker, usual_config};
use crate::error::CliError;
use crate::invocation::{Invocation, run_on};

/// Who is asked about the places that clients arrive at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PlacesOf<'a> {
    /// The broker's configuration, which comes first.
    pub(crate) config: Option<&'a Path>,
    /// The broker, as it described itself when it started.
    pub(crate) broker: Option<&'a str>,
}

impl PlacesOf<'_> {
    /// What is known about the places that clients arrive at. Where nobody is named,
    /// the brokers of the store are asked, and then the usual configuration, which
    /// alone knows about bridges.
    pub(crate) fn find(
        self,
        invocation: &Invocation,
        store: &mut AnyStore,
    ) -> Result<Listeners, CliError> {
        let path = invocation
            .store
            .file()
            .map(std::path::absolute)
            .transpose()?;
        if let Some(config) = self.config {
            let path = invocation.store.require_file("a broker's configuration")?;
            let config = BrokerConfig::read(config).map_err(Problem::from)?;
            return Ok(broker::places(&config, &std::path::absolute(path)?)?);
        }
        if let Some(name) = self.broker {
            let broker = run_on(store, &ShowBroker(name.into()))?;
            let options = broker.record.options.ok_or_else(|| {
                CliError::refused(format!(
                    "broker `{name}` has not said what its options are: it did not start since \
                     this version; name its configuration with --config"
                ))
            })?;
            return Ok(Listeners::of(&options));
        }
        // No broker reads a database.
        let known = path.and_then(|path| Some((usual_config(&path)?, path)));
        let described = described_listeners(store)?;
        Ok(match (described.as_slice(), known) {
            ([options], Some((config, _))) => broker::with_bridges(&config, Listeners::of(options)),
            ([options], None) => Listeners::of(options),
            (_, Some((config, path))) => broker::places(&config, &path)?,
            ([], None) => Listeners::default(),
            (_, None) => {
                invocation.output.notice(
                    "the brokers of this store have different options, and none of them counts \
                     here; `check --broker` names one",
                );
                Listeners::default()
            }
        })
    }
}

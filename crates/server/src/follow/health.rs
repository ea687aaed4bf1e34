//! Whether a follower follows, and what is counted beside it, for whoever asks on its
//! machine: the routes that the service has for that, and no other.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign_core::store::{GateStore as _, ReplicaState};
use countersign_core::time::Timestamp;
use countersign_store::AnyStore;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::A_MOMENT;
use crate::app::Answerer;
use crate::browser::Hosts;
use crate::door::Doors;
use crate::listen::Connections;
use crate::metrics;
use crate::network::TrustedProxies;
use crate::patience::Patience;
use crate::problem::Problem;
use crate::serve::{Beginning, ServeError, Told, serve_all};
use crate::who::now;

/// Where a follower says how it does.
#[derive(Debug)]
pub struct Health(TcpListener);

impl Health {
    /// Listens at an address of this machine.
    ///
    /// # Errors
    ///
    /// Returns [`ServeError`] when it can't, and for any other address: nobody logs in
    /// there.
    pub fn listen(address: SocketAddr) -> Result<Self, ServeError> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(ServeError::Elsewhere(address));
        }
        let listening = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(Self(listener))
        };
        listening().map_err(|source: io::Error| ServeError::Listen { address, source })
    }

    /// Answers until `is_over`.
    pub(super) fn answer(self, store: &AnyStore, is_over: &AtomicBool) -> Result<(), ServeError> {
        let beginning = Beginning {
            threads: (1, 1),
            hosts: Hosts(Vec::new()),
            proxies: TrustedProxies(Vec::new()),
            is_by_tenant: false,
            patience: Patience::default(),
            is_ready,
        };
        let app = Arc::new(beginning.app(store)?);
        let routes = metrics::open_routes();
        let answerer = Answerer::new(Arc::clone(&app), routes, Doors::default(), Vec::new());
        let answerer = answerer.taking_hooks(false);
        let connections = Arc::new(Connections::beside(TrustedProxies(Vec::new())));
        let (tell, told) = mpsc::channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServeError::Runtime)?;
        let done = runtime.block_on(async {
            let over = async {
                while !is_over.load(Ordering::Relaxed) {
                    sleep(A_MOMENT).await;
                }
                // Whoever hears it is there until then.
                let _ = tell.send(Told::End).await;
            };
            let listeners = vec![(self.0, answerer)];
            let ends = (&*app.events, &*app.followers);
            let serving = serve_all(listeners, None, connections, ends, told, None);
            tokio::join!(over, serving).1
        });
        runtime.shutdown_timeout(Duration::ZERO);
        done.map_err(ServeError::Runtime)
    }
}

/// Whether the replica can be used, and is what its centre was a moment ago.
fn is_ready(store: &mut AnyStore) -> Result<(), Problem> {
    store.log_position()?;
    let replica = store.replica()?;
    follows(replica.as_ref(), now()).map_err(Problem::unavailable)
}

fn follows(replica: Option<&ReplicaState>, now: Timestamp) -> Result<(), &'static str> {
    let whole = replica.filter(|replica| replica.place.is_some());
    let heard = whole.and_then(|replica| replica.contact_at);
    match heard {
        None => Err("there is no snapshot of the centre yet"),
        // A clock that was set back says nothing of how long ago it was.
        Some(at) if now.since(at).max(at.since(now)) > HEARD => {
            Err("the centre has not answered for a while")
        }
        Some(_) => Ok(()),
    }
}

/// The centre answers every two seconds.
const HEARD: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_is_ready_once_it_has_a_snapshot_and_while_the_centre_answers() {
        let at = Timestamp::from_millis;
        let replica = |place: Option<&str>, contact_at| ReplicaState {
            source: "http://127.0.0.1:1".into(),
            place: place.map(|it| it.parse().unwrap()),
            contact_at,
        };
        let place = Some("1.2.3");
        assert!(follows(None, at(1)).is_err());
        assert!(follows(Some(&replica(None, Some(at(1)))), at(1)).is_err());
        assert!(follows(Some(&replica(place, None)), at(1)).is_err());
        let known = replica(place, Some(at(1_000)));
        assert!(follows(Some(&known), at(16_000)).is_ok());
        assert!(follows(Some(&known), at(16_001)).is_err());
        assert!(follows(Some(&known), at(-14_001)).is_err());
    }

    #[test]
    fn nobody_elsewhere_is_told_how_a_follower_does() {
        for elsewhere in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let listening = Health::listen(elsewhere.parse().unwrap());
            assert!(
                matches!(listening, Err(ServeError::Elsewhere(_))),
                "{elsewhere}"
            );
        }
        assert!(Health::listen("127.0.0.1:0".parse().unwrap()).is_ok());
    }
}

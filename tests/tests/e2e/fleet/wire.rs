//! A way to a centre that can be cut, with a word or without one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A way to a centre.
pub(super) struct Wire {
    /// Where it begins.
    pub(super) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    centre: SocketAddr,
    /// Whether what is sent is lost.
    is_silent: AtomicBool,
    /// Both ends of each connection.
    ends: Mutex<Vec<[TcpStream; 2]>>,
    /// Connections over which something was lost, and those of them that the centre closed.
    lost: AtomicUsize,
    let_go: AtomicUsize,
}

impl Wire {
    pub(super) fn to(centre: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            centre: centre.parse().unwrap(),
            is_silent: AtomicBool::default(),
            ends: Mutex::default(),
            lost: AtomicUsize::default(),
            let_go: AtomicUsize::default(),
        });
        let its = Arc::clone(&shared);
        // It ends with the test's process.
        thread::spawn(move || {
            for near in listener.incoming() {
                // Where the centre is away, whoever comes is sent away.
                if let (Ok(near), Ok(far)) = (near, TcpStream::connect(its.centre)) {
                    its.join(near, far);
                }
            }
        });
        Self { address, shared }
    }

    /// Closes all connections, at both ends.
    pub(super) fn cut(&self) {
        for end in self.shared.ends.lock().unwrap().drain(..).flatten() {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// From now on what is sent is lost, and neither end hears that the other is gone.
    pub(super) fn fall_silent(&self) {
        self.shared.is_silent.store(true, Ordering::SeqCst);
    }

    /// From now on connections that are new lose nothing.
    pub(super) fn mend(&self) {
        self.shared.is_silent.store(false, Ordering::SeqCst);
    }

    /// Over how many connections something was lost, and how many of them the centre closed.
    pub(super) fn lost_and_let_go(&self) -> (usize, usize) {
        let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
        // In this order: what is let go was lost before.
        let let_go = count(&self.shared.let_go);
        (count(&self.shared.lost), let_go)
    }
}

impl Shared {
    fn join(self: &Arc<Self>, near: TcpStream, far: TcpStream) {
        let is_lost = Arc::new(AtomicBool::default());
        let pair = || [near.try_clone().unwrap(), far.try_clone().unwrap()];
        self.ends.lock().unwrap().push(pair());
        let [near_again, far_again] = pair();
        for (from, to, is_from_centre) in [(near, far, false), (far_again, near_again, true)] {
            let (shared, is_lost) = (Arc::clone(self), Arc::clone(&is_lost));
            thread::spawn(move || shared.carry(from, to, is_from_centre, &is_lost));
        }
    }

    /// Carries what is sent one way, until that end closes.
    fn carry(
        &self,
        mut from: TcpStream,
        mut to: TcpStream,
        is_from_centre: bool,
        is_lost: &AtomicBool,
    ) {
        let mut bytes = [0; 16 * 1_024];
        loop {
            let read = from.read(&mut bytes).unwrap_or(0);
            // The end of a connection is lost like anything else.
            if self.is_silent.load(Ordering::SeqCst) && !is_lost.swap(true, Ordering::SeqCst) {
                self.lost.fetch_add(1, Ordering::SeqCst);
            }
            let is_lost = is_lost.load(Ordering::SeqCst);
            if read == 0 && is_lost && is_from_centre {
                self.let_go.fetch_add(1, Ordering::SeqCst);
            }
            if read == 0 {
                if !is_lost {
                    let _ = to.shutdown(Shutdown::Both);
                }
                return;
            }
            if !is_lost && to.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
    }
}

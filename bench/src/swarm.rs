//! Many connects at once, from one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use countersign_testkit::mqtt::DISCONNECT;

use crate::fleet::PATIENCE;

/// What became of a swarm.
#[derive(Debug, Default)]
pub struct Outcome {
    pub admitted: usize,
    pub refused: usize,
    /// Closed without a word.
    pub dropped: usize,
    pub elapsed: Duration,
}

/// One connection of the swarm.
struct Member {
    stream: TcpStream,
    /// How much of the CONNACK has come.
    read: usize,
}

/// Sends each CONNECT over a connection of its own, at most `in_flight` at a
/// time; who is let in leaves at once.
pub fn run(
    port: u16,
    in_flight: usize,
    connects: impl Iterator<Item = Vec<u8>>,
) -> Result<Outcome> {
    let mut connects = connects.fuse();
    let mut members: Vec<Member> = Vec::with_capacity(in_flight);
    let mut outcome = Outcome::default();
    let start = Instant::now();
    loop {
        let room = in_flight - members.len();
        for connect in connects.by_ref().take(room) {
            members.push(Member::join(port, &connect)?);
        }
        if members.is_empty() {
            break;
        }
        // From the back, since a member that is done makes room for the last.
        for index in wait(&members)?.into_iter().rev() {
            if members[index].go_on(&mut outcome)? {
                members.swap_remove(index);
            }
        }
    }
    outcome.elapsed = start.elapsed();
    Ok(outcome)
}

impl Member {
    fn join(port: u16, connect: &[u8]) -> Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .context("the broker takes no connections")?;
        stream.set_nodelay(true)?;
        stream.write_all(connect)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, read: 0 })
    }

    /// Takes what has come; `true` at the end.
    fn go_on(&mut self, outcome: &mut Outcome) -> Result<bool> {
        let mut bytes = [0; 8];
        let count = match self.stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) if is_later(&error) => return Ok(false),
            read => read?,
        };
        if count == 0 {
            outcome.dropped += usize::from(self.read < CONNACK);
            return Ok(true);
        }
        let before = self.read;
        self.read += count;
        if before < CONNACK && self.read >= CONNACK {
            // The code is the last byte of the four.
            if bytes[CONNACK - 1 - before] == 0 {
                outcome.admitted += 1;
                self.stream.write_all(&DISCONNECT)?;
            } else {
                outcome.refused += 1;
            }
        }
        Ok(false)
    }
}

/// Waits until something has come for some of them, and says for which.
fn wait(members: &[Member]) -> Result<Vec<usize>> {
    let mut polled: Vec<libc::pollfd> = members
        .iter()
        .map(|member| libc::pollfd {
            fd: member.stream.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let count = libc::nfds_t::try_from(polled.len())?;
    let timeout = i32::try_from(PATIENCE.as_millis())?;
    // SAFETY: `polled` is `count` entries long and nobody else's.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), count, timeout) };
    if ready < 0 {
        let error = std::io::Error::last_os_error();
        ensure!(is_later(&error), error);
        return Ok(Vec::new());
    }
    ensure!(ready > 0, "the broker was silent for {PATIENCE:?}");
    Ok((0..polled.len())
        .filter(|index| polled[*index].revents != 0)
        .collect())
}

/// Says whether to try again later: a signal is none of the broker's doing.
fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// How long a CONNACK is (MQTT 3.1.1 §3.2).
const CONNACK: usize = 4;

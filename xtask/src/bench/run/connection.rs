//! One connection, blocking.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use super::wire;

/// Nothing that is measured takes so long unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A client's end of a connection.
pub struct Connection {
    pub stream: TcpStream,
}

impl Connection {
    /// Opens a connection and sends nothing.
    pub fn open(port: u16) -> std::io::Result<Self> {
        Self::open_from(Ipv4Addr::LOCALHOST, port)
    }

    /// Opens a connection that comes from this address.
    pub fn open_from(address: Ipv4Addr, port: u16) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Which the kernel takes anyway, with more ports to choose from.
        if address != Ipv4Addr::LOCALHOST {
            socket.bind(&SocketAddrV4::new(address, 0).into())?;
        }
        socket.connect(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// Sends a CONNECT and returns the code of the CONNACK, or [`NO_TIME`] where
    /// the broker closes without one, to be asked again.
    pub fn log_in(&mut self, connect: &[u8]) -> Result<u8> {
        self.stream.write_all(connect)?;
        let mut connack = [0; 4];
        match self.stream.read_exact(&mut connack) {
            Ok(()) => Ok(connack[3]),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                Ok(NO_TIME)
            }
            Err(error) => Err(error).context("no CONNACK came"),
        }
    }

    /// Connects and must be let in.
    pub fn admitted(port: u16, connect: &[u8]) -> Result<Self> {
        let mut connection = Self::open(port)?;
        let code = connection.log_in(connect)?;
        ensure!(code == 0, "the broker refused a login with code {code}");
        Ok(connection)
    }

    /// Connects and must be let in, at last: a broker that has hashed enough
    /// for this second refuses for a while.
    pub fn admitted_at_last(port: u16, connect: &[u8]) -> Result<Self> {
        Self::admitted_at_last_from(Ipv4Addr::LOCALHOST, port, connect)
    }

    /// The same from this address.
    pub fn admitted_at_last_from(address: Ipv4Addr, port: u16, connect: &[u8]) -> Result<Self> {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut connection = Self::open_from(address, port)?;
            match connection.log_in(connect)? {
                0 => return Ok(connection),
                code if Instant::now() > end => {
                    bail!("the broker refused a login with code {code} for {PATIENCE:?}")
                }
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Subscribes to one filter.
    pub fn subscribe(&mut self, filter: &str) -> Result<()> {
        self.stream.write_all(&wire::subscribe(filter))?;
        let mut suback = [0; 5];
        self.stream
            .read_exact(&mut suback)
            .context("no SUBACK came")?;
        ensure!(suback[4] == 0, "the broker refused a subscription");
        Ok(())
    }

    /// Sends a PINGREQ and returns how long the answer took.
    pub fn ping(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.stream.write_all(&wire::PINGREQ)?;
        let mut answer = [0; 2];
        self.stream
            .read_exact(&mut answer)
            .context("no PINGRESP came")?;
        ensure!(
            answer == wire::PINGRESP,
            "the broker answered a PINGREQ with {answer:?}"
        );
        Ok(start.elapsed())
    }

    /// Waits until the broker ends the connection and returns when that was.
    pub fn wait_closed(&mut self) -> Result<Instant> {
        let mut rest = [0; 64];
        loop {
            match self.stream.read(&mut rest) {
                Ok(0) => return Ok(Instant::now()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Ok(Instant::now());
                }
                // A signal, which is none of the broker's doing.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the broker did not end a session"),
            }
        }
    }

    /// Says good-bye and waits until the broker has heard it.
    pub fn disconnect(mut self) -> Result<()> {
        self.stream.write_all(&wire::DISCONNECT)?;
        self.wait_closed()?;
        Ok(())
    }
}

/// "Server busy" (MQTT 5.0 §2.4), which MQTT 3 has no word for.
const NO_TIME: u8 = 0x89;

//! A connection that never blocks, over TCP, WebSockets or TLS.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use countersign_testkit::mqtt::{Frames, Packet, Protocol, frame, request};
use countersign_tests::authority::Authority;
use socket2::{Domain, SockRef, Socket, Type};

/// How bytes reach the broker.
enum Transport {
    Tcp(TcpStream),
    WebSocket {
        stream: TcpStream,
        frames: Frames,
        /// Frames that wait for the upgrade: libwebsockets loses bytes of what
        /// follows its request at once.
        waiting: Vec<u8>,
    },
    /// `openssl s_client`, which does the handshake and passes bytes on.
    Tls {
        child: Child,
        write: File,
        read: File,
    },
}

/// One connection and what is under way on it.
pub struct Wire {
    transport: Transport,
    protocol: Protocol,
    unsent: Vec<u8>,
    /// What came and is not a whole packet yet.
    packets: Vec<u8>,
    closed: bool,
}

impl Wire {
    /// Connects over TCP, from this address.
    pub fn tcp(port: u16, source: Ipv4Addr, protocol: Protocol) -> Result<Self> {
        Ok(Self::new(Transport::Tcp(open(port, source)?), protocol))
    }

    /// Connects over WebSockets, with further headers.
    pub fn websocket(
        port: u16,
        source: Ipv4Addr,
        protocol: Protocol,
        headers: &[(String, Vec<u8>)],
    ) -> Result<Self> {
        let transport = Transport::WebSocket {
            stream: open(port, source)?,
            frames: Frames::default(),
            waiting: Vec::new(),
        };
        let mut wire = Self::new(transport, protocol);
        wire.unsent = request(headers);
        Ok(wire)
    }

    /// Connects with TLS and a client's certificate.
    pub fn tls(port: u16, protocol: Protocol, authority: &Authority, name: &str) -> Result<Self> {
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect"])
            .arg(format!("127.0.0.1:{port}"))
            .args(["-CAfile", &authority.path("ca.crt")])
            .args(["-cert", &authority.path(&format!("{name}.crt"))])
            .args(["-key", &authority.path(&format!("{name}.key"))])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run openssl")?;
        let write = File::from(OwnedFd::from(child.stdin.take().context("no stdin")?));
        let read = File::from(OwnedFd::from(child.stdout.take().context("no stdout")?));
        for file in [&write, &read] {
            // SAFETY: fcntl with F_SETFL takes a number; the file is open.
            unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        }
        let transport = Transport::Tls { child, write, read };
        Ok(Self::new(transport, protocol))
    }

    fn new(transport: Transport, protocol: Protocol) -> Self {
        Self {
            transport,
            protocol,
            unsent: Vec::new(),
            packets: Vec::new(),
            closed: false,
        }
    }

    /// Sends bytes of MQTT, whether they make sense or not; nothing for none.
    pub fn send(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.transport {
            Transport::WebSocket { waiting, .. } => waiting.extend(frame(bytes)),
            Transport::Tcp(_) | Transport::Tls { .. } => self.unsent.extend(bytes),
        }
        self.flush();
        self.pump();
    }

    /// Sends and reads what can be sent and read now.
    pub fn pump(&mut self) {
        while !self.closed && !self.unsent.is_empty() {
            let written = match &mut self.transport {
                Transport::Tcp(stream) | Transport::WebSocket { stream, .. } => {
                    stream.write(&self.unsent)
                }
                Transport::Tls { write, .. } => write.write(&self.unsent),
            };
            match written {
                Ok(0) => self.closed = true,
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if is_later(&error) => break,
                // What the broker said before it closed can still be read.
                Err(_) => self.unsent.clear(),
            }
        }
        let mut part = [0; 16_384];
        while !self.closed {
            let read = match &mut self.transport {
                Transport::Tcp(stream) | Transport::WebSocket { stream, .. } => {
                    stream.read(&mut part)
                }
                Transport::Tls { read, .. } => read.read(&mut part),
            };
            match read {
                Ok(0) => self.closed = true,
                Ok(length) => self.take_in(&part[..length]),
                Err(error) if is_later(&error) => break,
                Err(_) => self.closed = true,
            }
        }
    }

    /// Hands on what waited for the upgrade, once that is done.
    fn flush(&mut self) {
        if let Transport::WebSocket {
            frames, waiting, ..
        } = &mut self.transport
        {
            match frames.is_upgraded() {
                Ok(true) => self.unsent.append(waiting),
                Ok(false) => {}
                Err(_) => self.closed = true,
            }
        }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        match &mut self.transport {
            Transport::WebSocket { frames, .. } => frames.extend(bytes),
            Transport::Tcp(_) | Transport::Tls { .. } => return self.packets.extend(bytes),
        }
        self.flush();
        if let Transport::WebSocket { frames, .. } = &mut self.transport
            && matches!(frames.is_upgraded(), Ok(true))
        {
            self.closed |= frames.unpack(&mut self.packets);
        }
    }

    /// The next packet that came whole.
    pub fn next(&mut self) -> Option<Result<Packet>> {
        Packet::take(&mut self.packets, self.protocol).transpose()
    }

    /// Whether the other end is gone.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Has the kernel send a reset when this is dropped.
    pub fn reset_on_drop(&self) {
        if let Transport::Tcp(stream) | Transport::WebSocket { stream, .. } = &self.transport {
            // It fails where the connection is gone already.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Transport::Tls { child, .. } = &mut self.transport {
            // Both fail if it has ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn open(port: u16, source: Ipv4Addr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(source, 0).into())?;
    let broker = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    socket.connect_timeout(&broker.into(), Duration::from_secs(15))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

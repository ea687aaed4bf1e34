//! Ports for brokers.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

use socket2::{Domain, Socket, Type};

/// A port that is not given out again while this lives.
///
/// It is none of those that Linux draws for connections: libwebsockets shares a
/// port with nobody, not even with a connection that another test makes from
/// another address of this machine.
///
/// The socket is bound and does not listen. It is bound alone, so it is the only
/// one, and says SO_REUSEADDR after that, so a broker that says so too may bind
/// the port as well.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _socket: Socket,
}

impl Port {
    /// One that is free.
    pub fn reserve() -> Self {
        loop {
            let number = fastrand::u16(NEVER_DRAWN);
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            match socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, number).into()) {
                Ok(()) => {
                    socket.set_reuse_address(true).unwrap();
                    return Self {
                        number,
                        _socket: socket,
                    };
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => panic!("no port can be had: {error}"),
            }
        }
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Below what net.ipv4.ip_local_port_range says by default, above what a service
/// of the machine is likely to use.
const NEVER_DRAWN: Range<u16> = 15_000..32_768;

//! Whether a network namespace has flows, by the kernel's lists of its sockets.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Of the calling thread's namespace, which `/proc/self` would not show.
const LISTS: &str = "/proc/thread-self/net";

/// `TCP_LISTEN`, `TCP_CLOSE` and `TCP_TIME_WAIT` in `include/net/tcp_states.h`.
const WITHOUT_PEER: [&str; 3] = ["0A", "07", "06"];

/// The kernel's lists of sockets, as text.
#[derive(Debug, Default)]
pub(super) struct Tables {
    tcp: String,
    udp: String,
    sctp: String,
}

impl Tables {
    /// The lists of the calling thread's namespace.
    pub(super) fn read() -> Self {
        let read = |name: &str| fs::read_to_string(format!("{LISTS}/{name}")).unwrap_or_default();
        Self {
            tcp: read("tcp") + &read("tcp6"),
            udp: read("udp") + &read("udp6"),
            sctp: read("sctp/assocs"),
        }
    }

    /// Whether nobody has a flow with these addresses as far as can be seen. Who answers datagrams may
    /// always have one.
    pub(super) fn is_quiet(&self, own: &[IpAddr]) -> bool {
        let is_own = |address: &IpAddr| address.is_unspecified() || own.contains(address);
        let has_connection = sockets(&self.tcp)
            .any(|(address, state)| own.contains(&address) && !WITHOUT_PEER.contains(&state));
        let has_datagrams = sockets(&self.udp).any(|(address, _)| is_own(&address));
        let has_associations = self.sctp.lines().count() > 1;
        !has_connection && !has_datagrams && !has_associations
    }
}

/// Local address and state of each socket in a list, `proc_net_tcp` in the kernel's documentation.
fn sockets(list: &str) -> impl Iterator<Item = (IpAddr, &str)> {
    list.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (_number, local, _remote, state) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let (address, _port) = local.split_once(':')?;
        Some((read_address(address)?, state))
    })
}

/// Words of 32 bits in the machine's byte order, each as a number.
fn read_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = text.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";

    fn tcp(lines: &str) -> Tables {
        Tables {
            tcp: format!("{HEAD}{lines}"),
            ..Tables::default()
        }
    }

    fn own() -> Vec<IpAddr> {
        vec!["10.1.0.5".parse().unwrap(), "fd00::5".parse().unwrap()]
    }

    #[test]
    fn a_connection_with_an_own_address_is_a_flow() {
        let listens = "   0: 00000000:0050 00000000:0000 0A 00000000:00000000\n";
        let own_one = "   1: 0500010A:0050 0900010A:C350 01 00000000:00000000\n";
        let over = "   1: 0500010A:0050 0900010A:C350 06 00000000:00000000\n";
        let inside = "   2: 0100007F:0050 0100007F:C350 01 00000000:00000000\n";
        let mapped = "   3: 0000000000000000FFFF00000500010A:0050 0000000000000000FFFF00000900010A:C350 01 0\n";
        let v6 = "   4: 000000FD000000000000000005000000:0050 000000FD000000000000000009000000:C350 08 0\n";

        assert!(tcp(listens).is_quiet(&own()));
        assert!(tcp(inside).is_quiet(&own()));
        assert!(tcp(over).is_quiet(&own()));
        assert!(!tcp(own_one).is_quiet(&own()));
        assert!(!tcp(mapped).is_quiet(&own()));
        assert!(!tcp(v6).is_quiet(&own()));
    }

    #[test]
    fn who_answers_datagrams_is_never_quiet() {
        let list = "   7: 00000000:0035 00000000:0000 07 00000000:00000000\n";
        let tables = Tables {
            udp: format!("{HEAD}{list}"),
            ..Tables::default()
        };

        assert!(!tables.is_quiet(&own()));
        let associations = Tables {
            sctp: format!("{HEAD} ffff 1 2\n"),
            ..Tables::default()
        };
        assert!(!associations.is_quiet(&own()));
        assert!(Tables::default().is_quiet(&own()));
    }

    #[test]
    fn the_kernels_own_lists_are_understood() {
        let address: IpAddr = "127.77.1.5".parse().unwrap();
        let listener = TcpListener::bind((address, 0)).unwrap();
        assert!(Tables::read().is_quiet(&[address]));

        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap();
        assert!(!Tables::read().is_quiet(&[address]));

        drop((client, server, listener));
        let tcp_only = Tables {
            udp: String::new(),
            ..Tables::read()
        };
        assert!(tcp_only.is_quiet(&[address]));
        let _udp = UdpSocket::bind((address, 0)).unwrap();
        assert!(!Tables::read().is_quiet(&[address]));
    }
}

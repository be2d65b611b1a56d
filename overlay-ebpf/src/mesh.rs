//! Frames by which nodes send each other what came to published ports. The packet inside is the client's own,
//! still addressed to the node that it asked; which task the asked node has chosen stands in the two Ethernet
//! addresses, which say nothing else on this way.

use overlay_common::address::{Address, Mac};

use crate::header::{Ethernet, headers};

/// How both Ethernet addresses begin, as Docker's do.
const BEGIN: [u8; 2] = [0x02, 0x42];

headers! {
    /// Where an Ethernet header says from whom and to whom.
    pub struct Names [12] {
        /// The last four bytes of the task's address.
        pub destination: Mac,
        /// The four bytes before them.
        pub source: Mac,
    }
}

impl Names {
    /// The names of a task.
    #[inline(always)]
    pub fn of(task: &Address) -> Self {
        let half = task.words[1].to_ne_bytes();
        let [first, second] = BEGIN;
        Self {
            destination: [first, second, half[4], half[5], half[6], half[7]],
            source: [first, second, half[0], half[1], half[2], half[3]],
        }
    }
}

/// The task that an Ethernet header names, if it is one like `other`, a task of the same network: an IPv4
/// address is named whole, of an IPv6 address the half that is the host's.
#[inline(always)]
pub fn named(ethernet: &Ethernet, other: &Address) -> Option<Address> {
    let (low, high) = (ethernet.destination, ethernet.source);
    if [low[0], low[1]] != BEGIN || [high[0], high[1]] != BEGIN {
        return None;
    }
    let half = [
        high[2], high[3], high[4], high[5], low[2], low[3], low[4], low[5],
    ];
    let named = Address {
        words: [other.words[0], u64::from_ne_bytes(half)],
    };
    (named.is_v4() == other.is_v4()).then_some(named)
}

/// A port that stands for a client's own before a task. Never one of those that only the system gives to its
/// programs.
#[inline(always)]
pub const fn client_port(hash: u32) -> [u8; 2] {
    let count = u16::MAX as u32 - FIRST_CLIENT_PORT + 1;
    ((FIRST_CLIENT_PORT + hash % count) as u16).to_be_bytes()
}

const FIRST_CLIENT_PORT: u32 = 1024;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::header::ETHERTYPE_IPV4;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn ethernet(names: Names) -> Ethernet {
        Ethernet {
            destination: names.destination,
            source: names.source,
            ethertype: ETHERTYPE_IPV4,
        }
    }

    #[test]
    fn a_named_task_is_found_by_another_of_its_network() {
        for (task, other) in [
            ("10.0.0.5", "10.0.0.9"),
            ("10.0.0.5", "10.0.0.5"),
            ("fd00::5", "fd00::aaaa"),
            ("fd00:1:2:3:4:5:6:7", "fd00:1:2:3::1"),
        ] {
            let header = ethernet(Names::of(&address(task)));

            assert_eq!(named(&header, &address(other)), Some(address(task)));
        }
    }

    #[test]
    fn tasks_are_never_of_two_families() {
        let four = ethernet(Names::of(&address("10.0.0.5")));

        let six = named(&four, &address("fd00::5"));

        // What an IPv4 address leaves of an IPv6 one is somebody's, but never an IPv4 address.
        assert!(six.is_none_or(|six| !six.is_v4()));
        let six = ethernet(Names::of(&address("fd00::1:2:3")));
        assert_eq!(named(&six, &address("10.0.0.9")), None);
    }

    #[test]
    fn other_ethernet_addresses_name_nobody() {
        let mut header = ethernet(Names::of(&address("10.0.0.5")));
        header.source[1] = 0x43;

        assert_eq!(named(&header, &address("10.0.0.9")), None);
    }

    #[test]
    fn a_clients_port_is_never_a_programs_of_the_system() {
        for (hash, port) in [(0, 1024), (64_511, 65_535), (64_512, 1024)] {
            assert_eq!(client_port(hash), u16::to_be_bytes(port), "{hash}");
        }
    }

    #[test]
    fn names_are_addresses_of_one_interface() {
        let names = Names::of(&address("255.255.255.255"));

        assert_eq!(names.destination[0] & 1, 0);
        assert_eq!(names.source[0] & 1, 0);
    }
}

//! What is about to leave over the underlay: whether a network's packet can be in it as it is.

use overlay_common::reason::Reason;

use crate::{
    admission::ETHERNET,
    frame::{Bytes, Frame},
    header::{
        ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ethernet, Ipv4, Ipv6, PROTOCOL_FRAGMENT, PROTOCOL_UDP,
        Vxlan,
    },
};

/// Ethernet and IPv4, or IPv6: what has to be readable at the start of a frame.
pub const HEADERS_V4: u32 = 34;
/// See [`HEADERS_V4`].
pub const HEADERS_V6: u32 = 54;

/// Lengths of the UDP and VXLAN headers.
const CARRIER: usize = 16;

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Departure {
    /// Nothing that carries a network's packet as it is; ESP among it.
    Other,
    /// Part of a UDP packet that does not tell its ports.
    Part,
    /// UDP to the port of VXLAN.
    Vxlan {
        /// The network that it names.
        vni: u32,
    },
}

/// Looks at a frame on its way out. `port` is the one of VXLAN.
#[inline(always)]
pub fn read<B: Bytes>(frame: &Frame<B>, port: u16) -> Result<Departure, Reason> {
    match frame.header::<Ethernet>(0)?.ethertype {
        ETHERTYPE_IPV4 => v4(frame, port),
        ETHERTYPE_IPV6 => v6(frame, port),
        _ => Ok(Departure::Other),
    }
}

#[inline(always)]
fn v4<B: Bytes>(frame: &Frame<B>, port: u16) -> Result<Departure, Reason> {
    let ip = frame.header::<Ipv4>(ETHERNET)?;
    if ip.protocol != PROTOCOL_UDP {
        return Ok(Departure::Other);
    }
    if ip.is_later_fragment() {
        return Ok(Departure::Part);
    }
    let length = u32::from(ip.version_ihl & 0x0f) * 4;
    Ok(carrier(frame, ETHERNET as u32 + length, port))
}

/// The kernel's vxlan device sends no extension headers, and fragments are made of what it sent, if at all.
#[inline(always)]
fn v6<B: Bytes>(frame: &Frame<B>, port: u16) -> Result<Departure, Reason> {
    let behind = (ETHERNET + size_of::<Ipv6>()) as u32;
    match frame.header::<Ipv6>(ETHERNET)?.next_header {
        PROTOCOL_UDP => Ok(carrier(frame, behind, port)),
        PROTOCOL_FRAGMENT => {
            let fragment = frame.0.copy::<8>(behind)?.0;
            let [next, _, high, low, ..] = fragment;
            if next != PROTOCOL_UDP {
                return Ok(Departure::Other);
            }
            if u16::from_be_bytes([high, low]) >> 3 != 0 {
                return Ok(Departure::Part);
            }
            Ok(carrier(frame, behind + 8, port))
        }
        _ => Ok(Departure::Other),
    }
}

/// Too short for VXLAN is no VXLAN.
#[inline(always)]
fn carrier<B: Bytes>(frame: &Frame<B>, at: u32, port: u16) -> Departure {
    let Ok(headers) = frame.0.copy::<CARRIER>(at) else {
        return Departure::Other;
    };
    let headers = headers.0;
    if u16::from_be_bytes([headers[2], headers[3]]) != port {
        return Departure::Other;
    }
    if headers[8] & Vxlan::VNI_VALID == 0 {
        return Departure::Other;
    }
    Departure::Vxlan {
        vni: u32::from_be_bytes([0, headers[12], headers[13], headers[14]]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PORT: u16 = 4789;

    fn udp(port: u16) -> Vec<u8> {
        let mut bytes = vec![0x9c, 0x40];
        bytes.extend(port.to_be_bytes());
        bytes.extend([0, 80, 0, 0, 8, 0, 0, 0, 0, 0, 42, 0]);
        bytes
    }

    fn ipv4(protocol: u8, flags_offset: u16, options: usize, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 12];
        bytes.extend([8, 0, 0x45 + options as u8, 0, 0, 100, 0, 0]);
        bytes.extend(flags_offset.to_be_bytes());
        bytes.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        bytes.extend(vec![1; options * 4]);
        bytes.extend(payload);
        bytes
    }

    fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 12];
        bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 100, next_header, 64]);
        bytes.extend([0x20; 32]);
        bytes.extend(payload);
        bytes
    }

    fn departure(bytes: &[u8]) -> Result<Departure, Reason> {
        read(&Frame(bytes), PORT)
    }

    #[test]
    fn a_network_is_found_behind_every_kind_of_header() {
        let found = Ok(Departure::Vxlan { vni: 42 });
        let fragment = |offset: u16| {
            let mut bytes = vec![PROTOCOL_UDP, 0];
            bytes.extend(offset.to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(udp(PORT));
            bytes
        };

        assert_eq!(departure(&ipv4(17, 0, 0, &udp(PORT))), found);
        assert_eq!(departure(&ipv4(17, 0, 10, &udp(PORT))), found);
        assert_eq!(departure(&ipv4(17, 0x2000, 0, &udp(PORT))), found);
        assert_eq!(departure(&ipv6(17, &udp(PORT))), found);
        assert_eq!(departure(&ipv6(44, &fragment(1))), found);
        assert_eq!(departure(&ipv6(44, &fragment(8))), Ok(Departure::Part));
    }

    #[test]
    fn a_later_part_hides_its_port() {
        assert_eq!(departure(&ipv4(17, 1, 0, &[7; 8])), Ok(Departure::Part));
        assert_eq!(
            departure(&ipv4(17, 0x2001, 0, &udp(80))),
            Ok(Departure::Part)
        );
    }

    #[test]
    fn everything_else_may_go() {
        let other = Ok(Departure::Other);

        assert_eq!(departure(&ipv4(50, 0, 0, &udp(PORT))), other);
        assert_eq!(departure(&ipv4(50, 1, 0, &udp(PORT))), other);
        assert_eq!(departure(&ipv4(6, 0, 0, &udp(PORT))), other);
        assert_eq!(departure(&ipv4(17, 0, 0, &udp(53))), other);
        assert_eq!(departure(&ipv4(17, 0, 0, &udp(PORT)[..15])), other);
        assert_eq!(departure(&ipv6(50, &udp(PORT))), other);
        assert_eq!(departure(&ipv6(44, &[50, 0, 0, 8, 0, 0, 0, 0])), other);
        let mut arp = vec![0; 12];
        arp.extend([8, 6, 0, 1]);
        assert_eq!(departure(&arp), other);
    }

    proptest! {
        #[test]
        fn only_what_is_cut_short_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            if let Err(reason) = departure(&bytes) {
                prop_assert_eq!(reason, Reason::Malformed);
            }
        }
    }
}

//! The packet that an ICMP error is about, of which it quotes the start (RFC 792; RFC 4443, 2.4).

use overlay_common::{address::Address, flow::FlowKey, reason::Reason};
use zerocopy::FromBytes;

use crate::{
    frame::{Bytes, Copied, Frame},
    header::{Ipv4, Ipv6},
    transport::{self, Ends, Icmp, Transport},
};

/// Length of an ICMP error's own header: what it quotes comes next.
const ICMP: u32 = 8;

/// A quoted packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quote {
    /// Its sender.
    pub source: Address,
    /// Its receiver.
    pub destination: Address,
    /// Where its IP header stands in the frame.
    pub ip_at: u32,
    /// Its transport header.
    pub transport: Transport,
    /// Its ends.
    pub ends: Ends,
}

/// Reads what an ICMP error quotes, or `None` where the flow cannot be known: a later fragment, another
/// error, too few bytes.
#[inline(always)]
pub fn read<B: Bytes>(frame: &Frame<B>, error: &Transport) -> Result<Option<Quote>, Reason> {
    let ip_at = error.at + ICMP;
    let (source, destination, found) = if error.is_v4 {
        let Copied(bytes) = frame.0.copy::<{ size_of::<Ipv4>() }>(ip_at)?;
        let ip = Ipv4::ref_from_bytes(&bytes).map_err(|_never| Reason::Malformed)?;
        if ip.version_ihl >> 4 != 4 || ip.header_length() < 20 {
            return Ok(None);
        }
        (
            Address::from_v4(ip.source),
            Address::from_v4(ip.destination),
            Some(transport::behind_v4(ip, ip_at)),
        )
    } else {
        let Copied(bytes) = frame.0.copy::<{ size_of::<Ipv6>() }>(ip_at)?;
        let ip = Ipv6::ref_from_bytes(&bytes).map_err(|_never| Reason::Malformed)?;
        (
            Address::from_v6(ip.source),
            Address::from_v6(ip.destination),
            transport::behind_v6(frame, ip.next_header, ip_at)?,
        )
    };
    let Some(transport) = found else {
        return Ok(None);
    };
    if !transport.is_here() {
        return Ok(None);
    }
    let ends = transport::ends(frame, &transport)?;
    let is_known = !matches!(ends.icmp, Icmp::Error);
    Ok(is_known.then_some(Quote {
        source,
        destination,
        ip_at,
        transport,
        ends,
    }))
}

impl Quote {
    /// The flow in the direction of an answer to the quoted packet. It is also the direction of the error,
    /// which goes where an answer would go.
    #[inline(always)]
    pub fn answer_key(&self, vni: u32) -> FlowKey {
        FlowKey {
            source: self.destination,
            destination: self.source,
            scope: FlowKey::scope(vni, self.transport.protocol),
            source_port: self.ends.destination,
            destination_port: self.ends.source,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        admission::ETHERNET,
        header::{PROTOCOL_ICMP, PROTOCOL_ICMPV6},
        transport::Part,
    };

    fn error(is_v4: bool) -> Transport {
        Transport {
            at: ETHERNET as u32 + if is_v4 { 20 } else { 40 },
            identification: [0; 4],
            protocol: if is_v4 {
                PROTOCOL_ICMP
            } else {
                PROTOCOL_ICMPV6
            },
            part: Part::Whole,
            is_v4,
        }
    }

    /// Ethernet, IPv4, an ICMP error, and the first 28 bytes of a UDP packet 10.0.0.2:40000 → 10.0.0.3:80.
    fn v4() -> Vec<u8> {
        let mut frame = vec![0; 34];
        frame.extend([3, 3, 0, 0, 0, 0, 0, 0]);
        frame.extend([0x45, 0, 0, 100, 0x12, 0x34, 0, 0, 64, 17, 0, 0]);
        frame.extend([10, 0, 0, 2, 10, 0, 0, 3]);
        frame.extend([0x9c, 0x40, 0, 80, 0, 80, 0, 0]);
        frame
    }

    fn v6() -> Vec<u8> {
        let mut frame = vec![0; 54];
        frame.extend([1, 4, 0, 0, 0, 0, 0, 0]);
        frame.extend([0x60, 0, 0, 0, 0, 60, 44, 64]);
        frame.extend([2; 16]);
        frame.extend([3; 16]);
        frame.extend([17, 0, 0, 1, 9, 9, 9, 9]);
        frame.extend([0x9c, 0x40, 0, 80, 0, 80, 0, 0]);
        frame
    }

    #[test]
    fn the_flow_of_the_quoted_packet_is_found_in_the_direction_of_its_answer() {
        let quote = read(&Frame(&v4()[..]), &error(true)).unwrap().unwrap();

        assert_eq!(
            quote.answer_key(7),
            FlowKey {
                source: Address::from_v4([10, 0, 0, 3]),
                destination: Address::from_v4([10, 0, 0, 2]),
                scope: FlowKey::scope(7, 17),
                source_port: 80_u16.to_be_bytes(),
                destination_port: 40000_u16.to_be_bytes(),
            }
        );
        assert_eq!((quote.ip_at, quote.transport.at), (42, 62));
    }

    #[test]
    fn a_first_fragment_is_read_behind_its_header() {
        let quote = read(&Frame(&v6()[..]), &error(false)).unwrap().unwrap();

        assert_eq!(quote.source, Address::from_v6([2; 16]));
        assert_eq!(quote.destination, Address::from_v6([3; 16]));
        assert_eq!(quote.ends.destination, 80_u16.to_be_bytes());
        assert_eq!((quote.ip_at, quote.transport.at), (62, 110));
    }

    #[test]
    fn what_names_no_flow_is_not_read() {
        let mut later = v4();
        later[49] = 1;
        let mut error_in_error = v4();
        (error_in_error[51], error_in_error[62]) = (1, 3);
        let mut nonsense = v4();
        nonsense[42] = 0x65;

        for frame in [later, error_in_error, nonsense] {
            assert_eq!(read(&Frame(&frame[..]), &error(true)), Ok(None));
        }
    }

    #[test]
    fn every_truncation_is_told_apart() {
        for (frame, is_v4) in [(v4(), true), (v6(), false)] {
            for length in 0..=frame.len() {
                let read = read(&Frame(&frame[..length]), &error(is_v4));
                assert_eq!(read.is_ok(), length == frame.len(), "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reading(bytes in prop::collection::vec(any::<u8>(), 0..200), is_v4: bool) {
            if let Ok(Some(quote)) = read(&Frame(&bytes[..]), &error(is_v4)) {
                prop_assert!(quote.transport.at as usize <= bytes.len());
            }
        }
    }
}

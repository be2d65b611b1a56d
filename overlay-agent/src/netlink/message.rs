//! The outer shapes of netlink: messages in a datagram, attributes in a message, the verdict at the
//! end.
//!
//! Requests are built from typed messages. Answers are read attribute by attribute and only the
//! wanted ones are decoded, so that one device of a kind nobody here knows cannot hide the others.

use std::net::IpAddr;

use netlink_packet_core::{
    DecodeError, NLA_HEADER_SIZE, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_ERROR, NetlinkBuffer,
    NetlinkHeader, NlasIterator, Parseable, parse_i32, parse_u32,
};
use netlink_packet_route::AddressFamily;

use crate::model::MacAddress;

const HEADER_LENGTH: usize = 16;
const CODE_LENGTH: usize = 4;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One message of a datagram.
pub(super) struct Message<'a> {
    pub(super) header: NetlinkHeader,
    pub(super) payload: &'a [u8],
}

/// The messages of a datagram, in their order. Ends after the first one that is malformed.
pub(super) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(super) fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn take(&mut self) -> Result<Message<'a>, DecodeError> {
        let rest = std::mem::take(&mut self.rest);
        let buffer = NetlinkBuffer::new_checked(rest)?;
        let header = NetlinkHeader::parse(&buffer)?;
        let end = header.length as usize;
        self.rest = rest.get(end.next_multiple_of(4)..).unwrap_or_default();
        Ok(Message {
            header,
            payload: &rest[HEADER_LENGTH..end],
        })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.take())
    }
}

/// How a request ended.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    /// 0, or a negative error number.
    pub(super) code: i32,
    /// The kernel's own words about it.
    pub(super) remark: Option<String>,
}

impl Verdict {
    /// Reads an `NLMSG_ERROR`, which quotes the request before its attributes, or an `NLMSG_DONE`.
    pub(super) fn parse(message: &Message<'_>) -> Result<Self, DecodeError> {
        let payload = message.payload;
        let code = payload
            .get(..CODE_LENGTH)
            .ok_or("the verdict has no code")?;
        let mut verdict = Self {
            code: parse_i32(code)?,
            remark: None,
        };
        if message.header.flags & NLM_F_ACK_TLVS == 0 {
            return Ok(verdict);
        }

        let quote = if message.header.message_type != NLMSG_ERROR {
            0
        } else if message.header.flags & NLM_F_CAPPED != 0 {
            HEADER_LENGTH
        } else {
            let length = payload
                .get(CODE_LENGTH..8)
                .ok_or("the verdict quotes no request")?;
            (parse_u32(length)? as usize).next_multiple_of(4)
        };
        for attribute in attributes(payload, CODE_LENGTH + quote) {
            let (kind, value) = attribute?;
            if kind == NLMSGERR_ATTR_MSG {
                verdict.remark = Some(text(value));
            }
        }
        Ok(verdict)
    }
}

/// Kinds and values of the attributes behind a message's fixed header of this length.
pub(super) fn attributes(
    payload: &[u8],
    header_length: usize,
) -> impl Iterator<Item = Result<(u16, &[u8]), DecodeError>> {
    let attributes = NlasIterator::new(payload.get(header_length..).unwrap_or_default());
    attributes.map(|attribute| {
        let attribute = attribute?;
        let end = usize::from(attribute.length());
        Ok((
            attribute.kind(),
            &attribute.into_inner()[NLA_HEADER_SIZE..end],
        ))
    })
}

/// A string with or without its terminator. The kernel does not promise UTF-8.
pub(super) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned()
}

/// An IPv4 or IPv6 address, told apart by length.
pub(super) fn ip(value: &[u8]) -> Result<IpAddr, DecodeError> {
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(value).map(IpAddr::from);
    v4.or(v6)
        .map_err(|_other_length| DecodeError::invalid_ip_address(value.len()))
}

/// An Ethernet address, or nothing for a device that has none or another kind.
pub(super) fn mac(value: &[u8]) -> Option<MacAddress> {
    value.try_into().ok().map(MacAddress)
}

pub(super) fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// Prefix length of a single address.
pub(super) fn host_prefix(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER_LENGTH + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([7, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn remark_attribute() -> Vec<u8> {
        let mut bytes = 8_u16.to_ne_bytes().to_vec();
        bytes.extend(NLMSGERR_ATTR_MSG.to_ne_bytes());
        bytes.extend(b"no!\0");
        bytes
    }

    fn only_verdict(datagram: &[u8]) -> Verdict {
        let messages: Vec<_> = Messages::new(datagram).collect::<Result<_, _>>().unwrap();
        assert_eq!(messages.len(), 1);
        Verdict::parse(&messages[0]).unwrap()
    }

    #[test]
    fn a_datagram_is_cut_at_aligned_lengths() {
        let mut datagram = message(16, 0, &[1, 2, 3, 4, 5]);
        datagram.extend(message(17, 2, &[]));

        let messages: Vec<_> = Messages::new(&datagram).map(Result::unwrap).collect();

        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].payload, [1, 2, 3, 4, 5]);
        assert_eq!(messages[1].header.message_type, 17);
    }

    #[test]
    fn a_datagram_cut_short_is_an_error_and_never_a_panic() {
        let datagram = message(NLMSG_ERROR, NLM_F_ACK_TLVS, &[0; 40]);

        for length in 1..datagram.len() {
            let mut messages = Messages::new(&datagram[..length]);
            assert!(
                messages.next().is_some_and(|message| message.is_err()),
                "{length}"
            );
            assert!(messages.next().is_none(), "{length}");
        }
    }

    #[test]
    fn the_remark_follows_the_quoted_request() {
        let code = (-22_i32).to_ne_bytes();
        let request = message(20, 5, &[9; 6]);
        let capped = [&code[..], &request[..HEADER_LENGTH], &remark_attribute()].concat();
        let whole = [&code[..], &request, &remark_attribute()].concat();
        let done = [&code[..], &remark_attribute()].concat();
        let expected = Verdict {
            code: -22,
            remark: Some("no!".to_owned()),
        };

        let flags = NLM_F_ACK_TLVS | NLM_F_CAPPED;
        assert_eq!(
            only_verdict(&message(NLMSG_ERROR, flags, &capped)),
            expected
        );
        assert_eq!(
            only_verdict(&message(NLMSG_ERROR, NLM_F_ACK_TLVS, &whole)),
            expected
        );
        assert_eq!(only_verdict(&message(3, NLM_F_ACK_TLVS, &done)), expected);
    }
}

//! Names for containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    datapath::port_at,
    problem::{Problem, Refusal},
    typed,
};

const PORT: u64 = 53;
const DEFAULT_ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 53, 53)),
    IpAddr::V6(Ipv6Addr::new(0xfd6f, 0x7665, 0x726c, 0x53, 0, 0, 0, 0x53)),
];
/// Short, because what a name means changes within seconds.
const DEFAULT_TTL: u64 = 2;
/// A day: longer is a mistake.
const LONGEST_TTL: u64 = 86_400;

/// How containers get answers to their questions for names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsSettings {
    /// Whether they get any.
    pub enabled: bool,
    /// Where they ask: the gateway device's addresses, or others of the host.
    pub addresses: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// Seconds that an answer may be kept.
    pub ttl_s: u32,
    /// Who is asked for names that are none of ours; none: those of the host's /etc/resolv.conf.
    pub upstream: Vec<SocketAddr>,
}

pub(super) fn check(typed: &typed::Dns) -> Result<DnsSettings, Refusal> {
    let ttl = typed.ttl.unwrap_or(DEFAULT_TTL);
    let ttl_s = u32::try_from(ttl).ok().filter(|_| ttl <= LONGEST_TTL);
    let ttl_s = ttl_s.ok_or_else(|| {
        Problem::OutOfRange {
            number: ttl,
            least: 0,
            most: LONGEST_TTL,
        }
        .at_key("dns.ttl")
    })?;
    Ok(DnsSettings {
        enabled: typed.enabled.unwrap_or(true),
        addresses: addresses(typed.addresses.as_deref())?,
        port: port_at("dns.port", typed.port.unwrap_or(PORT))?,
        ttl_s,
        upstream: upstream(&typed.upstream)?,
    })
}

fn addresses(typed: Option<&[String]>) -> Result<Vec<IpAddr>, Refusal> {
    let Some(typed) = typed else {
        return Ok(DEFAULT_ADDRESSES.to_vec());
    };
    let read = |text: &String| {
        let address = text.parse::<IpAddr>().ok();
        let address = address.filter(|it| !it.is_unspecified() && !it.is_multicast());
        address.ok_or_else(|| {
            Problem::NotAnAddress {
                text: text.clone(),
                example: "169.254.53.53",
            }
            .at_key("dns.addresses")
        })
    };
    typed.iter().map(read).collect()
}

fn upstream(typed: &[String]) -> Result<Vec<SocketAddr>, Refusal> {
    let read = |text: &String| {
        let port = u16::try_from(PORT).unwrap_or_default();
        let address = text.parse().map(|address| SocketAddr::new(address, port));
        let address = address.or_else(|_no_address| text.parse());
        address.map_err(|_no_socket| {
            Problem::NotASocketAddress {
                text: text.clone(),
                example: "192.0.2.53 or \"[2001:db8::53]:5353\"",
            }
            .at_key("dns.upstream")
        })
    };
    typed.iter().map(read).collect()
}

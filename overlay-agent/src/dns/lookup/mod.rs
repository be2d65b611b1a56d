//! What a question means to whoever asks it: a function of the zone, the asker and the question.
//!
//! Names are looked for as Docker does: the whole name in each of the asker's networks; then, for `a.b.c`, the
//! name `a.b` in the network `c`, and `a` in the network `b.c`. The first network that has the name answers
//! for it; the one of published ports comes last. Not here: the wire, the order of answers, other resolvers.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    reverse,
    zone::{Endpoint, NetworkNames, Target, Zone},
};
use crate::model::{Protocol, Vni};

/// The longest name that an answer can hold, without the final dot (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Who asks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Asker {
    /// The networks that it is on, in the order in which they are looked through.
    pub networks: Vec<Vni>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Addresses of both families.
    Any,
    /// The name of an address.
    Ptr,
    /// Ports of a service.
    Srv,
    /// What no name here has.
    Other,
}

/// What is meant by a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Meaning {
    /// It is about a name of ours.
    Ours(Answer),
    /// Others may know.
    Forward,
    /// Others may know, but the asker's networks have no way out.
    Refused,
}

/// What is known of a name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Answer {
    /// Whether the name is there at all; then it may still have nothing of what was asked for.
    pub(super) exists: bool,
    /// What was asked for.
    pub(super) records: Vec<Record>,
    /// What the asker would ask for next: names with addresses.
    pub(super) additional: Vec<(String, IpAddr)>,
}

/// One answer, about the name in the question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Record {
    /// An address.
    Address(IpAddr),
    /// A name.
    Pointer(String),
    /// A port of a host, which is named.
    Service {
        /// The port.
        port: u16,
        /// The host.
        host: String,
    },
}

/// Looks a name up, given in lower case without the final dot.
pub(super) fn lookup(zone: &Zone, asker: &Asker, name: &str, kind: Kind) -> Meaning {
    let sight = Sight::new(zone, asker);
    let known = match reverse::address(name) {
        Some(address) => sight.reverse(address, kind),
        None => sight.forward(name, kind),
    };
    match known {
        Some(answer) => Meaning::Ours(answer),
        None if sight.has_way_out() => Meaning::Forward,
        None => Meaning::Refused,
    }
}

/// The part of a zone that one asker sees.
struct Sight<'a> {
    networks: Vec<&'a NetworkNames>,
}

impl<'a> Sight<'a> {
    fn new(zone: &'a Zone, asker: &Asker) -> Self {
        let seen = asker.networks.iter();
        let mut networks: Vec<_> = seen.filter_map(|vni| zone.names(*vni)).collect();
        networks.sort_by_key(|names| names.facts().is_some_and(|facts| facts.is_ingress));
        Self { networks }
    }

    fn has_way_out(&self) -> bool {
        let mut facts = self.networks.iter().filter_map(|names| names.facts());
        facts.any(|facts| !facts.is_internal)
    }

    fn forward(&self, name: &str, kind: Kind) -> Option<Answer> {
        if kind == Kind::Srv
            && let Some(answer) = self.first(name, ports)
        {
            return Some(answer);
        }
        let addresses = self.first(name, NetworkNames::addresses)?;
        let is_wanted = |address: &IpAddr| match kind {
            Kind::A => address.is_ipv4(),
            Kind::Aaaa => address.is_ipv6(),
            Kind::Any => true,
            Kind::Ptr | Kind::Srv | Kind::Other => false,
        };
        let wanted = addresses.into_iter().filter(is_wanted);
        Some(Answer {
            exists: true,
            records: wanted.map(Record::Address).collect(),
            additional: Vec::new(),
        })
    }

    /// What the first network says that knows the name.
    fn first<T>(&self, name: &str, ask: impl Fn(&'a NetworkNames, &str) -> Option<T>) -> Option<T> {
        let mut whole = self.networks.iter();
        if let Some(found) = whole.find_map(|names| ask(names, name)) {
            return Some(found);
        }
        name.rmatch_indices('.').find_map(|(at, _)| {
            let (first, network) = (&name[..at], &name[at + 1..]);
            let mut named = self
                .networks
                .iter()
                .filter(|names| names.is_called(network));
            named.find_map(|names| ask(names, first))
        })
    }

    fn reverse(&self, address: IpAddr, kind: Kind) -> Option<Answer> {
        let holders = self.networks.iter().filter_map(|names| {
            let endpoint = names.endpoint(address).map(|it| name_of(names, it));
            endpoint.or_else(|| {
                let service = names.service_at(address)?;
                qualified(&service.name, names)
            })
        });
        let mut pointers: Vec<String> = holders.collect();
        let is_ours =
            !pointers.is_empty() || self.networks.iter().any(|names| names.covers(address));
        let exists = !pointers.is_empty();
        if !matches!(kind, Kind::Ptr | Kind::Any) {
            pointers.clear();
        }
        is_ours.then(|| Answer {
            exists,
            records: pointers.into_iter().map(Record::Pointer).collect(),
            additional: Vec::new(),
        })
    }
}

/// What a network says of the ports of a service: of all that it publishes, or of one, `_80._tcp.web`.
fn ports(names: &NetworkNames, name: &str) -> Option<Answer> {
    let (only, targets) = match wish(name) {
        Some((wish, service)) => (Some(wish), names.targets(service)),
        None => (None, names.targets(name)),
    };
    if targets.is_empty() {
        return None;
    }
    let mut answer = Answer {
        exists: only.is_none(),
        ..Answer::default()
    };
    for target in targets {
        let asked_for = |port: &&(Protocol, u16)| only.is_none_or(|only| only == **port);
        let ports: Vec<u16> = target
            .service
            .ports
            .iter()
            .filter(asked_for)
            .map(|(_, port)| *port)
            .collect();
        answer.exists |= !ports.is_empty();
        for (host, addresses) in hosts(names, target) {
            let records = ports.iter().map(|port| Record::Service {
                port: *port,
                host: host.clone(),
            });
            answer.records.extend(records);
            if !ports.is_empty() {
                let addresses = addresses.into_iter();
                answer
                    .additional
                    .extend(addresses.map(|address| (host.clone(), address)));
            }
        }
    }
    Some(answer)
}

/// The hosts behind a target, each with its addresses.
fn hosts(names: &NetworkNames, target: Target<'_>) -> Vec<(String, Vec<IpAddr>)> {
    let Some(tasks) = target.tasks else {
        let host = qualified(&target.service.name, names);
        let host = host.map(|host| (host, target.addresses().to_vec()));
        return host.into_iter().collect();
    };
    let mut hosts: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for address in tasks {
        if let Some(endpoint) = names.endpoint(*address) {
            let host = name_of(names, endpoint);
            hosts.entry(host).or_default().push(*address);
        }
    }
    hosts.into_iter().collect()
}

/// The name under which an endpoint alone is found: its own, or its identifier where others have that name too.
fn name_of(names: &NetworkNames, endpoint: &Endpoint) -> String {
    let is_unique = names.is_unique(&endpoint.name.to_ascii_lowercase());
    let own = is_unique
        .then(|| qualified(&endpoint.name, names))
        .flatten();
    let by_id = || qualified(&endpoint.id, names);
    own.or_else(by_id)
        .unwrap_or_else(|| endpoint.id.to_string())
}

/// `name.network`, if that can be asked for.
fn qualified(name: &str, names: &NetworkNames) -> Option<String> {
    let full = format!("{name}.{}", names.name());
    let is_label = |label: &str| (1..=LONGEST_LABEL).contains(&label.len());
    (full.len() <= LONGEST_NAME && full.split('.').all(is_label)).then_some(full)
}

/// `_80._tcp.web` as port, protocol and service.
fn wish(name: &str) -> Option<((Protocol, u16), &str)> {
    let mut parts = name.splitn(3, '.');
    let port = parts.next()?.strip_prefix('_')?.parse().ok()?;
    let protocol = match parts.next()? {
        "_tcp" => Protocol::Tcp,
        "_udp" => Protocol::Udp,
        "_sctp" => Protocol::Sctp,
        _ => return None,
    };
    Some(((protocol, port), parts.next()?))
}

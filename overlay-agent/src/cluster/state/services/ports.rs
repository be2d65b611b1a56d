//! Ports of the nodes: which are wished for, and which are free.

use std::{collections::BTreeSet, net::IpAddr, ops::RangeInclusive};

use super::{super::Cluster, ServiceRefusal, check, wish::PortPattern};
use crate::model::{EndpointMode, PortWish, Protocol, PublishedPort, ServiceId};

/// Where published ports come from that nobody chose, as in Docker.
const CHOSEN_FROM: RangeInclusive<u16> = 30_000..=32_767;

impl Cluster {
    /// The ports of a service: those that it has, and those that are wished for. A wish for what it has
    /// changes nothing.
    pub(super) fn ports_of(
        &self,
        service: ServiceId,
        present: &BTreeSet<PublishedPort>,
        wishes: &[PortWish],
        mode: EndpointMode,
    ) -> Result<BTreeSet<PublishedPort>, ServiceRefusal> {
        let mut ports: Vec<PublishedPort> = present.iter().copied().collect();
        // What was chosen by hand comes first: a port that is chosen here must not be in its way.
        let (chosen, open): (Vec<&PortWish>, Vec<&PortWish>) =
            wishes.iter().partition(|wish| wish.published.is_some());
        for wish in chosen {
            let port = of_all_addresses(*wish).at(0);
            if !present.contains(&port) {
                ports.push(port);
            }
        }
        for wish in open {
            if wish.target == 0 {
                return Err(ServiceRefusal::PortZero);
            }
            let wish = of_all_addresses(*wish);
            let free = self.free_port(&ports, wish.protocol);
            let free = free.ok_or(ServiceRefusal::NoPortLeft {
                protocol: wish.protocol,
            })?;
            ports.push(wish.at(free));
        }
        check::ports(&ports, mode)?;
        for port in &ports {
            if let Some((other, theirs)) = self.services.in_the_way(service, port) {
                return Err(ServiceRefusal::PortInUse {
                    port: port.published,
                    protocol: port.protocol,
                    service: other.name.clone(),
                    id: other.id,
                    mode: theirs.mode,
                });
            }
        }
        Ok(ports.into_iter().collect())
    }

    /// The lowest port that no service has at any address.
    fn free_port(&self, own: &[PublishedPort], protocol: Protocol) -> Option<u16> {
        let theirs = self.services.iter().flat_map(|service| &service.ports);
        let taken: BTreeSet<u16> = theirs
            .chain(own)
            .filter(|port| port.protocol == protocol)
            .map(|port| port.published)
            .collect();
        CHOSEN_FROM.into_iter().find(|port| !taken.contains(port))
    }
}

/// Takes the ports out that fit a pattern; none is refused.
pub(super) fn remove(
    name: &str,
    ports: &mut BTreeSet<PublishedPort>,
    pattern: PortPattern,
) -> Result<(), ServiceRefusal> {
    let fits = |port: &PublishedPort| {
        (port.target, port.protocol, port.mode) == (pattern.target, pattern.protocol, pattern.mode)
            && pattern
                .published
                .is_none_or(|published| published == port.published)
    };
    let before = ports.len();
    ports.retain(|port| !fits(port));
    if ports.len() == before {
        return Err(ServiceRefusal::NotPublished {
            service: name.to_owned(),
            port: pattern.target,
            protocol: pattern.protocol,
        });
    }
    Ok(())
}

/// The unspecified address stands for all.
fn of_all_addresses(wish: PortWish) -> PortWish {
    PortWish {
        address: wish
            .address
            .filter(|address| !IpAddr::is_unspecified(address)),
        ..wish
    }
}

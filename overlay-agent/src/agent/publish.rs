//! Ports that a single endpoint publishes: chosen where that is left open, and kept from everybody else.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    net::IpAddr,
    ops::RangeInclusive,
};

use super::{addresses::Chosen, owner::Owner};
use crate::{
    api::ApiError,
    control::{PortError, PortErrorKind, planner},
    model::{MASQUERADE_PORTS, PortKey, PortWish, PublishedPort},
};

/// Where a port is chosen from, as Docker does.
const OPEN: RangeInclusive<u16> = 32_768..=60_999;

/// How many ports are tried before there seems to be none.
const ATTEMPTS: u16 = 1024;

impl Owner {
    /// Chooses and keeps the ports of an endpoint with these addresses; nothing is kept if one of them cannot
    /// be had.
    pub(super) fn choose_ports(
        &mut self,
        wishes: &[PortWish],
        chosen: &Chosen,
    ) -> Result<Vec<PublishedPort>, ApiError> {
        let addresses: Vec<IpAddr> = chosen.addresses().collect();
        let mut ports = Vec::with_capacity(wishes.len());
        for wish in wishes {
            match self.publish_one(*wish, &addresses) {
                Ok(port) => ports.push(port),
                Err(error) => {
                    self.withdraw(&ports, &addresses);
                    return Err(error);
                }
            }
        }
        Ok(ports)
    }

    /// Gives ports back that were kept.
    pub(super) fn withdraw(&mut self, ports: &[PublishedPort], addresses: &[IpAddr]) {
        let all = ports.iter();
        let keys = all.flat_map(|port| planner::port_keys(*port, addresses.iter().copied()));
        let keys: Vec<PortKey> = keys.collect();
        self.reconciler.release(keys);
    }

    fn publish_one(
        &mut self,
        wish: PortWish,
        addresses: &[IpAddr],
    ) -> Result<PublishedPort, ApiError> {
        let Some(published) = wish.published else {
            return self.publish_any(wish, addresses);
        };
        check(published)?;
        let port = wish.at(published);
        self.reserve(port, addresses).map_err(refused)?;
        Ok(port)
    }

    fn publish_any(
        &mut self,
        wish: PortWish,
        addresses: &[IpAddr],
    ) -> Result<PublishedPort, ApiError> {
        let count = OPEN.end() - OPEN.start() + 1;
        let first = random() % count;
        for step in 0..ATTEMPTS {
            let port = wish.at(OPEN.start() + first.wrapping_add(step) % count);
            match self.reserve(port, addresses) {
                Ok(()) => return Ok(port),
                Err(Refusal::Port(error)) if is_taken(&error) => {}
                Err(error) => return Err(refused(error)),
            }
        }
        Err(ApiError::conflict(format!(
            "no port from {} to {} is free",
            OPEN.start(),
            OPEN.end()
        ))
        .with_help("say which one to publish"))
    }

    fn reserve(&mut self, port: PublishedPort, addresses: &[IpAddr]) -> Result<(), Refusal> {
        let keys = planner::port_keys(port, addresses.iter().copied());
        let keys: Vec<PortKey> = keys.collect();
        if keys.is_empty() {
            return Err(Refusal::Family(port));
        }
        self.reconciler.reserve(&keys).map_err(Refusal::Port)
    }
}

/// Why a port is not published.
enum Refusal {
    /// It is at an address of a family that the network does not have.
    Family(PublishedPort),
    /// Somebody has it, or the system does not give it away.
    Port(PortError),
}

fn is_taken(error: &PortError) -> bool {
    error.kind == PortErrorKind::Taken
}

fn check(published: u16) -> Result<(), ApiError> {
    if !MASQUERADE_PORTS.contains(&published) {
        return Ok(());
    }
    Err(
        ApiError::bad_request(format!("port {published} cannot be published")).with_help(format!(
            "ports from {} to {} are for connections of containers to the outside",
            MASQUERADE_PORTS.start(),
            MASQUERADE_PORTS.end()
        )),
    )
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Family(port) => {
            let at = port.address.map(|address| address.to_string());
            ApiError::bad_request(format!(
                "the endpoint has no address that {} could lead to",
                at.unwrap_or_else(|| port.to_string())
            ))
            .with_help("publish it at an address of the network's family")
        }
        Refusal::Port(error) if is_taken(&error) => ApiError::conflict(error.source.to_string())
            .with_help("publish another port, or end whoever has this one"),
        Refusal::Port(error) => ApiError::internal(&error),
    }
}

/// A number that differs from one call to the next.
fn random() -> u16 {
    RandomState::new().build_hasher().finish() as u16
}

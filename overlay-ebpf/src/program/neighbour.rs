//! Who is at which Ethernet address.

use overlay_common::{
    address::{Address, Mac, derived_mac},
    endpoint::EndpointKey,
    network::GATEWAY_MAC,
    reason::Reason,
    route::{NOBODY, Route},
};

use crate::map;

/// The Ethernet address with which `target` is answered for.
#[inline(always)]
pub(super) fn mac_of(vni: u32, target: Address) -> Result<Mac, Reason> {
    let key = EndpointKey::new(vni, target);
    if let Some(endpoint) = map::endpoint::get(&key) {
        return Ok(endpoint.mac);
    }
    if is_gateway(vni, &target) {
        return Ok(GATEWAY_MAC);
    }
    match map::route::get(&key) {
        Some(route) if route.peer != NOBODY => return Ok(remote_mac(route, &target)),
        Some(_) | None => {}
    }
    match map::service::vip(&key) {
        Some(_) => Ok(derived_mac(&target)),
        None => Err(Reason::NoNeighbour),
    }
}

/// The Ethernet address of a remote endpoint. The receiving node writes the true one, so the derived
/// one is enough wherever a node of ours receives.
#[inline(always)]
pub(super) fn remote_mac(route: &Route, address: &Address) -> Mac {
    if route.mac == [0; 6] {
        derived_mac(address)
    } else {
        route.mac
    }
}

#[inline(always)]
fn is_gateway(vni: u32, target: &Address) -> bool {
    map::network::get(vni)
        .is_some_and(|network| network.gateway_ipv4 == *target || network.gateway_ipv6 == *target)
}

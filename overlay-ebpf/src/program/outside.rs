//! From a container to its host, and through it to the rest of the world: the way out.

use overlay_common::{
    address::Address,
    interface::Interface,
    network::{NETWORK_INTERNAL, Network},
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    admission::{ETHERNET, Packet},
    header::{Ipv4, Ipv6},
    hops, path_mtu,
    verdict::Verdict,
    way_out,
};

use super::{TcFrame, answer, nat::Side, outlined::outlined_verdict, stand_in};
use crate::map::{self, config, scratch, work::Work};

/// Hands a packet that is for nobody in the network to the host, as coming from the address that stands for the
/// container there.
#[inline(always)]
pub(super) fn leave(
    frame: &mut TcFrame,
    interface: &Interface,
    work: &mut Work,
) -> Result<Verdict, Reason> {
    outlined_verdict(frame, work, |frame, work| {
        send(frame, interface, &work.packet)
    })
}

#[inline(always)]
fn send(frame: &mut TcFrame, interface: &Interface, packet: &Packet) -> Result<Verdict, Reason> {
    let node = map::node::get().ok_or(Reason::NoRoute)?;
    if node.gateway_ifindex == 0 {
        return Err(Reason::NoRoute);
    }
    let network = map::network::get(interface.vni).ok_or(Reason::NoRoute)?;
    may_leave(frame, network, packet)?;
    let (own, transit) = if packet.is_v4 {
        (&interface.ipv4, &interface.transit_ipv4)
    } else {
        (&interface.ipv6, &interface.transit_ipv6)
    };
    // What is admitted besides has a link-local source.
    if way_out::source(frame, packet.is_v4)? != *own {
        return Err(Reason::NoRoute);
    }
    if transit.is_unspecified() {
        return Err(Reason::NoTransitAddress);
    }
    if way_out::is_at_its_last_hop(frame, packet)? && !is_of_this_node(&packet.destination) {
        let mut verdict = Verdict::Pass;
        hops_used_up(frame, network, packet, &mut verdict)?;
        return Ok(verdict);
    }

    // Point of no return.
    stand_in::exchange(frame, Side::Source, own, transit)?;
    frame.0.store(0, &node.gateway_mac)?;
    Ok(Verdict::Redirect {
        ifindex: node.gateway_ifindex,
        walk: Walk::Outside,
    })
}

#[inline(always)]
fn may_leave(frame: &TcFrame, network: &Network, packet: &Packet) -> Result<(), Reason> {
    if way_out::asks_dns(frame, packet) {
        return Ok(());
    }
    if network.flags & NETWORK_INTERNAL != 0 {
        return Err(Reason::Internal);
    }
    if way_out::is_link_local(&packet.destination) && !way_out::is_dns(&packet.destination) {
        return Err(Reason::NoRoute);
    }
    if map::transit::behind(&packet.destination).is_some() {
        return Err(Reason::TransitDestination);
    }
    if way_out::looks_like_tunnel(frame, packet, config::port()) {
        return Err(Reason::TunnelPort);
    }
    Ok(())
}

/// Whether the packet ends at this node, so that no hop is counted.
#[inline(always)]
fn is_of_this_node(address: &Address) -> bool {
    way_out::is_dns(address) || map::transit::is_own(address)
}

/// Tells the container that the hops of its packet are used up; its network's gateway says it.
#[inline(always)]
fn hops_used_up(
    frame: &mut TcFrame,
    network: &Network,
    packet: &Packet,
    verdict: &mut Verdict,
) -> Result<(), Reason> {
    if path_mtu::is_untold(frame, packet)? {
        return Err(Reason::HopLimit);
    }
    *verdict = if packet.is_v4 {
        let (ethernet, ip) = (frame.header(0)?, frame.header(ETHERNET)?);
        let start = frame.header(ETHERNET + size_of::<Ipv4>())?;
        let gateway = &network.gateway_ipv4;
        let reply = scratch::fill(|reply| hops::used_up_v4(ethernet, ip, start, gateway, reply))?;
        answer::back_to_container(frame, reply, Walk::HopsTold)?
    } else {
        let (ethernet, ip) = (frame.header(0)?, frame.header(ETHERNET)?);
        let start = frame.header(ETHERNET + size_of::<Ipv6>())?;
        let gateway = &network.gateway_ipv6;
        let reply = scratch::fill(|reply| hops::used_up_v6(ethernet, ip, start, gateway, reply))?;
        answer::back_to_container(frame, reply, Walk::HopsTold)?
    };
    Ok(())
}

//! TC egress of the gateway's near end: what the host sends to transit addresses, of its own or as an answer from
//! outside.

use overlay_common::{
    endpoint::Endpoint,
    network::{GATEWAY_MAC, NETWORK_INTERNAL},
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    admission::{self, ETHERNET, Packet},
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ethernet},
    path_mtu,
    verdict::Verdict,
    way_out,
};

use super::{TcFrame, nat::Side, stand_in};
use crate::map::{self, scratch};

/// Ethernet, IPv4 and TCP without options; the same with IPv6.
const HEADERS_V4: u32 = 54;
const HEADERS_V6: u32 = 74;

/// Decides about a packet from the host.
#[inline(always)]
pub(crate) fn decide(frame: &mut TcFrame) -> Result<Verdict, Reason> {
    frame.0.ensure(HEADERS_V4);
    let Ok(ethernet) = frame.header::<Ethernet>(0) else {
        return Ok(Verdict::Pass);
    };
    let packet = match ethernet.ethertype {
        ETHERTYPE_IPV4 => admission::ipv4(frame, ETHERNET)?,
        ETHERTYPE_IPV6 => {
            frame.0.ensure(HEADERS_V6);
            admission::ipv6(frame, ETHERNET)?
        }
        _ => return Ok(Verdict::Pass),
    };
    // The host announces itself on every device; nobody hears it on this one.
    if admission::is_multicast(&packet.destination) {
        return Ok(Verdict::Pass);
    }
    let place = map::transit::behind(&packet.destination).ok_or(Reason::NobodyBehind)?;
    let endpoint = map::endpoint::get(place).ok_or(Reason::NobodyBehind)?;
    let network = map::network::get(place.vni).ok_or(Reason::NobodyBehind)?;
    if network.flags & NETWORK_INTERNAL != 0 && !way_out::is_dns_answer(frame, &packet) {
        return Err(Reason::Internal);
    }
    let (length, gso_size) = (frame.0.length(), frame.0.gso_size());
    if path_mtu::segment_length(frame, &packet, length, gso_size)? > endpoint.mtu {
        return Err(Reason::TooBigInside);
    }

    // Point of no return.
    stand_in::exchange(
        frame,
        Side::Destination,
        &packet.destination,
        &place.address,
    )?;
    hand_over(frame, &packet, endpoint)
}

#[inline(always)]
fn hand_over(frame: &mut TcFrame, packet: &Packet, endpoint: &Endpoint) -> Result<Verdict, Reason> {
    let ethernet = scratch::fill(|ethernet: &mut Ethernet| {
        *ethernet = Ethernet {
            destination: endpoint.mac,
            source: GATEWAY_MAC,
            ethertype: if packet.is_v4 {
                ETHERTYPE_IPV4
            } else {
                ETHERTYPE_IPV6
            },
        };
    })?;
    frame.0.store(0, ethernet)?;
    Ok(Verdict::Redirect {
        ifindex: endpoint.ifindex,
        walk: Walk::FromOutside,
    })
}

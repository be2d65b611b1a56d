//! TC egress of the underlay device, while anything is encrypted: what should have been encrypted and was not, goes no
//! further. The kernel's policies see to that as long as they are there.

use overlay_common::{encryption, network::NETWORK_ENCRYPTED, reason::Reason};
use overlay_ebpf::{
    departure::{self, Departure},
    header::{ETHERTYPE_IPV6, Ethernet},
    verdict::Verdict,
};

use super::TcFrame;
use crate::map::{self, config};

/// Decides about a packet that is about to leave.
#[inline(always)]
pub(crate) fn decide(frame: &mut TcFrame) -> Result<Verdict, Reason> {
    frame.0.ensure(departure::HEADERS_V4);
    let Ok(ethernet) = frame.header::<Ethernet>(0) else {
        return Ok(Verdict::Pass);
    };
    if ethernet.ethertype == ETHERTYPE_IPV6 {
        frame.0.ensure(departure::HEADERS_V6);
    }
    let is_asked = encryption::is_ours(config::mark(), frame.0.mark());
    let is_encrypted = match departure::read(frame, config::port()) {
        Ok(Departure::Other) | Err(_) => false,
        Ok(Departure::Part) => is_asked,
        Ok(Departure::Vxlan { vni }) => is_asked || is_network_encrypted(vni),
    };
    if is_encrypted {
        return Err(Reason::Unencrypted);
    }
    Ok(Verdict::Pass)
}

#[inline(always)]
fn is_network_encrypted(vni: u32) -> bool {
    map::network::get(vni).is_some_and(|network| network.flags & NETWORK_ENCRYPTED != 0)
}

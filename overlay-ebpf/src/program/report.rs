//! Counting and reporting a drop.

use overlay_common::{
    address::Address,
    event::{Event, Place},
    reason::Reason,
};
use overlay_ebpf::{
    admission::ETHERNET,
    arrival::{self, INNER_V4, INNER_V6, Outer},
    departure::{self, Departure},
    header::{Arp, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ethernet, Ipv4, Ipv6},
};

use super::TcFrame;
use crate::map::{self, config, counter, event};

/// Counts a drop, and reports every so many of them. A function of its own to the kernel too: it reads
/// the packet again, so that the walks need not remember what only a drop wants to know.
#[inline(never)]
pub(crate) fn drop(frame: &TcFrame, reason: Reason, place: Place, length: u32) {
    let count = counter::count_reason(reason, length);
    let sample = config::event_sample();
    if sample == 0 || !count.is_multiple_of(u64::from(sample)) {
        return;
    }
    event::report(|event| {
        *event = Event {
            boot_ns: event::now(),
            source: Address::UNSPECIFIED,
            destination: Address::UNSPECIFIED,
            reason: reason as u32,
            place: place as u32,
            ifindex: frame.0.ifindex(),
            vni: 0,
            length,
            sample,
        };
        match place {
            Place::FromHost => read_addresses::<0>(frame, event),
            Place::FromContainer => {
                event.vni = map::interface::get(event.ifindex).map_or(0, |interface| interface.vni);
                read_addresses::<0>(frame, event);
            }
            Place::FromUnderlay => read_carried(frame, event),
            Place::ToUnderlay => {
                if let Ok(Departure::Vxlan { vni }) = departure::read(frame, config::port()) {
                    event.vni = vni;
                }
                read_addresses::<0>(frame, event);
            }
            Place::FromTunnel => {
                event.vni = frame.0.tunnel().map_or(0, |(_, vni)| vni);
                read_addresses::<0>(frame, event);
            }
        }
    });
}

#[inline(always)]
fn read_carried(frame: &TcFrame, event: &mut Event) {
    let v4 = arrival::outer_v4(frame, config::local_ipv4().last_four(), config::port());
    if let Ok(Outer::Vxlan(carrier)) = v4 {
        event.vni = carrier.vni;
        event.source = carrier.source;
        return read_addresses::<INNER_V4>(frame, event);
    }
    let v6 = arrival::outer_v6(frame, config::local_ipv6().bytes(), config::port());
    if let Ok(Outer::Vxlan(carrier)) = v6 {
        event.vni = carrier.vni;
        event.source = carrier.source;
        read_addresses::<INNER_V6>(frame, event);
    }
}

/// Reads both addresses of the frame whose Ethernet header stands at `AT`, as far as it goes.
#[inline(always)]
fn read_addresses<const AT: usize>(frame: &TcFrame, event: &mut Event) {
    let Ok(ethernet) = frame.header::<Ethernet>(AT) else {
        return;
    };
    match ethernet.ethertype {
        ETHERTYPE_IPV4 => {
            if let Ok(ip) = frame.header::<Ipv4>(AT + ETHERNET) {
                event.source = Address::from_v4(ip.source);
                event.destination = Address::from_v4(ip.destination);
            }
        }
        ETHERTYPE_IPV6 => {
            if let Ok(ip) = frame.header::<Ipv6>(AT + ETHERNET) {
                event.source = Address::from_v6(ip.source);
                event.destination = Address::from_v6(ip.destination);
            }
        }
        ETHERTYPE_ARP => {
            if let Ok(arp) = frame.header::<Arp>(AT + ETHERNET) {
                event.source = Address::from_v4(arp.sender);
                event.destination = Address::from_v4(arp.target);
            }
        }
        _ => {}
    }
}

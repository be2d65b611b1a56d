//! `VIP`: virtual addresses of services.

use overlay_common::service::Vip;

use super::port;
use crate::model::VipEntry;

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &VipEntry) -> Vip {
    Vip {
        ring: port::ring(entry.ring),
        service: entry.service,
        _reserved: 0,
    }
}

/// As the agent knows it.
pub(in crate::datapath) fn decode(value: &Vip) -> VipEntry {
    VipEntry {
        ring: port::span(value.ring),
        service: value.service,
    }
}

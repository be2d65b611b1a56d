//! `BACKEND`: tasks of services that may be sent packets.

use overlay_common::{endpoint::EndpointKey, service::Backend};

use crate::model::{BackendEntry, PeerId};

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &BackendEntry) -> Backend {
    Backend {
        address: entry.place.address.into(),
        vni: entry.place.vni.into(),
        peer: entry.peer.map_or(0, |peer| peer.0),
        service: entry.service,
        _reserved: 0,
    }
}

/// As the agent knows it; nothing for an address that no network can have.
pub(in crate::datapath) fn decode(value: &Backend) -> Option<BackendEntry> {
    let place = super::place(&EndpointKey::new(value.vni, value.address))?;
    Some(BackendEntry {
        place,
        peer: (value.peer != 0).then_some(PeerId(value.peer)),
        service: value.service,
    })
}

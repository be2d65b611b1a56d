//! `NAMESPACE`: which networks the sockets of a network namespace may ask for services.

use overlay_common::socket::{NAMESPACE_HOST, NAMESPACE_NETWORKS, Namespace};

use crate::model::{NamespaceEntry, Vni};

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &NamespaceEntry) -> Namespace {
    let mut value = Namespace {
        vnis: [0; NAMESPACE_NETWORKS],
        count: 0,
        flags: if entry.is_host { NAMESPACE_HOST } else { 0 },
    };
    for (slot, vni) in value.vnis.iter_mut().zip(entry.networks()) {
        *slot = vni.into();
        value.count += 1;
    }
    value
}

/// As the agent knows it; nothing for what no agent writes.
pub(in crate::datapath) fn decode(value: &Namespace) -> Option<NamespaceEntry> {
    let vnis = value.vnis.get(..value.count as usize)?;
    let networks = vnis.iter().map(|vni| Vni::try_from(*vni).ok());
    let mut entry = NamespaceEntry::new(networks.collect::<Option<Vec<_>>>()?);
    entry.is_host = value.flags & NAMESPACE_HOST != 0;
    (encode(&entry) == *value).then_some(entry)
}

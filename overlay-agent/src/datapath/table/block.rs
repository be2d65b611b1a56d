//! `BLOCK`: which peer has a remote address block. The key is a prefix over the VNI and the address,
//! IPv4 mapped into IPv6.

use std::net::{IpAddr, Ipv6Addr};

use aya::maps::lpm_trie::Key;
use ipnet::IpNet;
use overlay_common::route::BlockKey;

use crate::model::Vni;

/// Bits before the IPv4 address in a mapped one.
const MAPPED_BITS: u32 = 96;

/// As the map holds it.
pub(in crate::datapath) fn encode(vni: Vni, block: IpNet) -> Key<BlockKey> {
    let family_bits = match block {
        IpNet::V4(_) => MAPPED_BITS,
        IpNet::V6(_) => 0,
    };
    let prefix = BlockKey::VNI_BITS + family_bits + u32::from(block.prefix_len());
    Key::new(prefix, BlockKey::new(vni.into(), block.network().into()))
}

/// As the agent knows it; nothing for a prefix that no block can have.
pub(in crate::datapath) fn decode(key: &Key<BlockKey>) -> Option<(Vni, IpNet)> {
    let BlockKey { vni, address } = key.data();
    let vni = Vni::try_from(u32::from_be_bytes(vni)).ok()?;
    let prefix = key.prefix_len().checked_sub(BlockKey::VNI_BITS)?;
    let (address, prefix) = in_family(Ipv6Addr::from(address), prefix);
    let block = IpNet::new(address, u8::try_from(prefix).ok()?).ok()?;
    (block.network() == address).then_some((vni, block))
}

fn in_family(address: Ipv6Addr, prefix: u32) -> (IpAddr, u32) {
    match (address.to_ipv4_mapped(), prefix.checked_sub(MAPPED_BITS)) {
        (Some(address), Some(prefix)) => (IpAddr::V4(address), prefix),
        (Some(_) | None, Some(_) | None) => (IpAddr::V6(address), prefix),
    }
}

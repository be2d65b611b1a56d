//! What makes a flow, and which backend a hash of it would choose.

use overlay_common::{
    address::Address,
    flow::{FlowKey, Fragment, FragmentKey},
    reason::Reason,
};

use crate::{
    admission::ETHERNET,
    frame::{Bytes, Frame},
    header::{Ipv4, Ipv6},
    transport::{Ends, Icmp, Transport},
};

/// Source and destination of a frame.
#[inline(always)]
pub fn addresses<B: Bytes>(frame: &Frame<B>, is_v4: bool) -> Result<(Address, Address), Reason> {
    if is_v4 {
        let ip = frame.header::<Ipv4>(ETHERNET)?;
        Ok((
            Address::from_v4(ip.source),
            Address::from_v4(ip.destination),
        ))
    } else {
        let ip = frame.header::<Ipv6>(ETHERNET)?;
        Ok((
            Address::from_v6(ip.source),
            Address::from_v6(ip.destination),
        ))
    }
}

/// The key of the flow that a frame belongs to, in its own direction.
#[inline(always)]
pub fn key<B: Bytes>(
    frame: &Frame<B>,
    vni: u32,
    transport: &Transport,
    ends: &Ends,
) -> Result<FlowKey, Reason> {
    let (source, destination) = addresses(frame, transport.is_v4)?;
    Ok(FlowKey {
        source,
        destination,
        scope: FlowKey::scope(vni, transport.protocol),
        source_port: ends.source,
        destination_port: ends.destination,
    })
}

/// The key of the packet that a fragment is a part of.
#[inline(always)]
pub fn fragment_key<B: Bytes>(
    frame: &Frame<B>,
    vni: u32,
    transport: &Transport,
) -> Result<FragmentKey, Reason> {
    let (source, destination) = addresses(frame, transport.is_v4)?;
    Ok(FragmentKey {
        source,
        destination,
        scope: FlowKey::scope(vni, transport.protocol),
        identification: transport.identification,
    })
}

/// What is remembered of a first fragment.
#[inline(always)]
pub fn fragment(ends: &Ends) -> Fragment {
    Fragment {
        source_port: ends.source,
        destination_port: ends.destination,
        _reserved: [0; 4],
    }
}

/// The ends of a later fragment, from what is remembered of the first one.
#[inline(always)]
pub fn ends_of(fragment: &Fragment) -> Ends {
    Ends {
        source: fragment.source_port,
        destination: fragment.destination_port,
        icmp: Icmp::No,
    }
}

/// The hash with which a ring is asked. The packet's own hash would not do: the kernel changes it when a
/// connection has to send something again.
#[inline(always)]
pub fn hash(key: &FlowKey) -> u32 {
    let [source, destination] = [key.source_port, key.destination_port];
    let ports = u32::from_ne_bytes([source[0], source[1], destination[0], destination[1]]);
    let last = u64::from(key.scope) << 32 | u64::from(ports);
    let mut hash = mixed(0x9e37_79b9_7f4a_7c15, key.source.words[0]);
    hash = mixed(hash, key.source.words[1]);
    hash = mixed(hash, key.destination.words[0]);
    hash = mixed(hash, key.destination.words[1]);
    hash = mixed(hash, last);
    (hash >> 32) as u32
}

/// One step: the multiplier and the shift are those of `MurmurHash3`'s last mix.
#[inline(always)]
fn mixed(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    product ^ product >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(port: u16) -> FlowKey {
        FlowKey {
            source: Address::from_v4([10, 0, 0, 2]),
            destination: Address::from_v4([10, 0, 0, 9]),
            scope: FlowKey::scope(7, 6),
            source_port: port.to_be_bytes(),
            destination_port: 80_u16.to_be_bytes(),
        }
    }

    #[test]
    fn one_clients_connections_are_spread_evenly() {
        let mut slots = [0_u32; 5];
        for port in 32768..42768 {
            slots[hash(&client(port)) as usize % 5] += 1;
        }

        for count in slots {
            assert!((1900..=2100).contains(&count), "{slots:?}");
        }
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let key = client(1000);
        let others = [
            client(1001),
            FlowKey {
                source: Address::from_v6([1; 16]),
                ..key
            },
            FlowKey {
                destination: Address::from_v4([10, 0, 0, 8]),
                ..key
            },
            FlowKey {
                scope: FlowKey::scope(8, 6),
                ..key
            },
            FlowKey {
                scope: FlowKey::scope(7, 17),
                ..key
            },
            FlowKey {
                destination_port: [0, 81],
                ..key
            },
        ];

        for other in others {
            assert_ne!(hash(&other), hash(&key), "{other:?}");
        }
    }
}

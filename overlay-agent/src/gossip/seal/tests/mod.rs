//! Sealing and opening between nodes, and what a stranger may try.

mod datagrams;
mod fuzz;
mod streams;

use std::collections::HashSet;

use super::{stream::StreamOpener, *};
use crate::model::RingKey;

const CLUSTER: &str = "c1";

fn node(number: u128) -> NodeId {
    NodeId::from_random(number)
}

fn ring(primary: u32, numbers: &[u32]) -> KeyRing {
    KeyRing {
        primary,
        keys: numbers
            .iter()
            .map(|number| RingKey {
                number: *number,
                secret: [*number as u8; 32],
            })
            .collect(),
    }
}

/// A node among the nodes 1 to 3, with the first generation.
fn seal(number: u128, started: u64) -> Seal {
    let epoch = Epoch::starting(started, number ^ u128::from(started) << 64);
    let mut seal = Seal::new(CLUSTER, node(number), epoch, &ring(1, &[1]));
    seal.set_members(&HashSet::from([node(1), node(2), node(3)]));
    seal
}

fn pair() -> (Seal, Seal) {
    (seal(1, 1000), seal(2, 1000))
}

fn open(seal: &mut Seal, datagram: &[u8]) -> Result<(NodeId, Vec<u8>), Refusal> {
    let mut datagram = datagram.to_vec();
    seal.open(&mut datagram)
        .map(|(sender, plain)| (sender, plain.to_vec()))
}

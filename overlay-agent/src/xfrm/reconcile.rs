//! Makes the kernel agree with all pairs: desired − actual, in an order in which no packet is lost and none
//! leaves unsealed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use super::{
    Direction, Error, Kernel, Pair, PolicyKey, Protection, Round, Schedule, StateId, StateRow,
    StateWish,
};
use crate::model::NodeId;

/// Where a node is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its address on the underlay.
    pub address: IpAddr,
    /// Its number in this node's tables, once it has one.
    pub number: Option<u32>,
}

/// What all pairs have in common.
#[derive(Clone, Copy, Debug)]
pub struct Outlook<'a> {
    /// This node.
    pub this: NodeId,
    /// Its address on the underlay.
    pub local: IpAddr,
    /// UDP port of VXLAN.
    pub port: u16,
    /// Our part of marks.
    pub mark: u32,
    /// Whether marked packets without a state have to be stopped.
    pub guards: bool,
    /// Derives the keys.
    pub schedule: &'a Schedule,
    /// The other nodes.
    pub peers: &'a BTreeMap<NodeId, Peer>,
    /// Time since any fixed moment.
    pub now: Duration,
}

/// What our part of the kernel's xfrm holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// States.
    pub states: BTreeMap<StateId, StateRow>,
    /// Policies.
    pub policies: BTreeMap<PolicyKey, Protection>,
}

/// A difference that nobody asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Drift {
    /// What differs, in words.
    pub object: String,
    /// Whether it is there although it should not be; else it is gone or another.
    pub is_foreign: bool,
}

impl Held {
    /// Reads all of it.
    pub fn read(kernel: &mut impl Kernel) -> Result<Self, Error> {
        Ok(Self {
            states: kernel.states()?,
            policies: kernel.policies()?,
        })
    }

    /// What somebody else changed since this was true.
    pub fn drift(&self, now: &Self) -> Vec<Drift> {
        let state = |id: &StateId| format!("xfrm state {:#010x} to {}", id.spi, id.destination);
        let mut drift = differences(&self.states, &now.states, state);
        drift.extend(differences(&self.policies, &now.policies, name));
        drift
    }
}

fn differences<K: Ord, V: PartialEq>(
    known: &BTreeMap<K, V>,
    found: &BTreeMap<K, V>,
    name: impl Fn(&K) -> String,
) -> Vec<Drift> {
    let changed = known
        .iter()
        .filter(|(key, row)| found.get(key) != Some(row));
    let changed = changed.map(|(key, _)| (key, false));
    let foreign = found.keys().filter(|key| !known.contains_key(key));
    changed
        .chain(foreign.map(|key| (key, true)))
        .map(|(key, is_foreign)| Drift {
            object: name(key),
            is_foreign,
        })
        .collect()
}

fn name(key: &PolicyKey) -> String {
    match key.destination {
        Some(node) => format!("xfrm policy to {node}"),
        None if key.is_ipv6 => "xfrm policy that blocks, IPv6".to_owned(),
        None => "xfrm policy that blocks, IPv4".to_owned(),
    }
}

/// Makes it so. Pairs hear which of their states are in the kernel and which are lost; a state that the kernel does
/// not take counts as lost, too, and is told in the outcome. `held` is what the kernel holds, before and after.
pub fn reconcile(
    kernel: &mut impl Kernel,
    held: &mut Held,
    outlook: &Outlook<'_>,
    pairs: &mut BTreeMap<NodeId, Pair>,
) -> Result<Vec<Error>, Error> {
    if outlook.guards {
        for is_ipv6 in [false, true] {
            put_policy(
                kernel,
                held,
                outlook.about(is_ipv6, None),
                Protection::Block,
            )?;
        }
    }
    let mut wanted = BTreeSet::new();
    let mut sealed = BTreeSet::new();
    let mut refused = Vec::new();
    for (node, pair) in pairs.iter_mut() {
        let Some(peer) = outlook.peers.get(node) else {
            continue;
        };
        for (direction, round) in pair.rounds() {
            let Some(wish) = outlook.wish(*node, *peer, direction, round) else {
                pair.lost(direction, round, outlook.now);
                continue;
            };
            match place(kernel, held, pair, (direction, round), &wish) {
                Ok(true) => {
                    wanted.insert(wish.id);
                }
                Ok(false) => pair.lost(direction, round, outlook.now),
                Err(error) => {
                    pair.lost(direction, round, outlook.now);
                    refused.push(error);
                }
            }
        }
        let current = pair.current();
        let wish = current.and_then(|round| outlook.wish(*node, *peer, Direction::Out, round));
        if let Some(wish) = wish {
            let key = outlook.about(peer.address.is_ipv6(), Some(peer.address));
            put_policy(kernel, held, key, Protection::Seal(wish.id.spi))?;
            sealed.insert(key);
        }
    }
    remove_others(kernel, held, outlook, &wanted, &sealed)?;
    Ok(refused)
}

/// What is sealed is no longer led to a state before the state goes.
fn remove_others(
    kernel: &mut impl Kernel,
    held: &mut Held,
    outlook: &Outlook<'_>,
    wanted: &BTreeSet<StateId>,
    sealed: &BTreeSet<PolicyKey>,
) -> Result<(), Error> {
    let guards = [false, true].map(|is_ipv6| outlook.about(is_ipv6, None));
    let is_wanted =
        |key: &PolicyKey| sealed.contains(key) || outlook.guards && guards.contains(key);
    let policies: Vec<_> = held.policies.keys().copied().collect();
    for key in policies.into_iter().filter(|key| !is_wanted(key)) {
        kernel.remove_policy(key)?;
        held.policies.remove(&key);
    }
    let states: Vec<_> = held.states.keys().copied().collect();
    for id in states.into_iter().filter(|id| !wanted.contains(id)) {
        kernel.remove(id)?;
        held.states.remove(&id);
    }
    Ok(())
}

/// Whether the state stands now.
fn place(
    kernel: &mut impl Kernel,
    held: &mut Held,
    pair: &mut Pair,
    (direction, round): (Direction, Round),
    wish: &StateWish,
) -> Result<bool, Error> {
    let row = StateRow {
        source: wish.source,
        mark: wish.mark,
    };
    let is_unmarked = direction == Direction::In && wish.mark.is_none();
    if pair.is_fresh(direction, round) {
        if is_unmarked {
            return Ok(false);
        }
        kernel.add(wish)?;
        pair.placed(direction, round);
        held.states.insert(wish.id, row);
        return Ok(true);
    }
    match held.states.get(&wish.id) {
        None => Ok(false),
        // Numbers are not known yet after a start: the mark that it has is right.
        Some(present) if is_unmarked || *present == row => Ok(true),
        Some(_) => {
            kernel.mark(wish)?;
            held.states.insert(wish.id, row);
            Ok(true)
        }
    }
}

fn put_policy(
    kernel: &mut impl Kernel,
    held: &mut Held,
    key: PolicyKey,
    protection: Protection,
) -> Result<(), Error> {
    if held.policies.get(&key) != Some(&protection) {
        kernel.set_policy((key, protection))?;
        held.policies.insert(key, protection);
    }
    Ok(())
}

impl Outlook<'_> {
    fn about(&self, is_ipv6: bool, destination: Option<IpAddr>) -> PolicyKey {
        PolicyKey {
            is_ipv6,
            destination,
            port: self.port,
            mark: self.mark,
        }
    }

    /// The state of a round; none where its key is not there any more.
    fn wish(
        &self,
        node: NodeId,
        peer: Peer,
        direction: Direction,
        round: Round,
    ) -> Option<StateWish> {
        let (sender, receiver) = match direction {
            Direction::In => ((node, peer.address), (self.this, self.local)),
            Direction::Out => ((self.this, self.local), (node, peer.address)),
        };
        let mark = match direction {
            Direction::In => peer.number.map(|number| self.mark | number),
            Direction::Out => None,
        };
        let material = self.schedule.material(sender.0, receiver.0, round)?;
        Some(StateWish {
            id: StateId {
                destination: receiver.1,
                spi: material.spi,
            },
            source: sender.1,
            mark,
            material,
        })
    }
}

//! Who is there: the membership protocol (SWIM with suspicion) over the nodes that the managers know.

mod told;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use foca::{Foca, NoCustomBroadcast, PostcardCodec};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};

use super::{
    Pace, Refused, Settings, admission, fingerprint,
    identity::Life,
    outcome::{Collected, Outcome},
    wire,
};
use crate::model::NodeId;

/// How a node is taken to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Known from the managers, never heard of, since then.
    Unheard {
        /// Since when.
        since: Duration,
    },
    /// Answers.
    Up {
        /// The life that does.
        generation: u64,
    },
    /// Does not answer.
    Failed,
    /// Said that it leaves.
    Left,
}

/// See the module.
pub(super) struct Membership {
    foca: Foca<Life, PostcardCodec, StdRng, NoCustomBroadcast>,
    /// Counts the instances of the protocol; timers of earlier ones are void.
    instance: u32,
    pace: Pace,
    nodes: BTreeMap<NodeId, Node>,
    active: Vec<NodeId>,
    /// Fingerprint of the nodes that answer, this one included.
    sum: u64,
    /// This node's generation as it is in `sum`.
    signed: u64,
    moved: Duration,
    rng: StdRng,
}

#[derive(Debug)]
struct Node {
    /// Where the managers say that it gossips.
    address: SocketAddr,
    standing: Standing,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership")
            .field("instance", &self.instance)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl Membership {
    /// A node that knows nobody.
    pub(super) fn new(settings: &Settings) -> Self {
        let mut rng = StdRng::seed_from_u64(settings.seed);
        let life = Life {
            node: settings.node,
            address: settings.address,
            generation: settings.epoch,
        };
        Self {
            foca: begun(life, &settings.pace, 1, &mut rng),
            instance: 0,
            pace: settings.pace.clone(),
            nodes: BTreeMap::new(),
            active: Vec::new(),
            sum: fingerprint::of_life(life.node, life.generation),
            signed: life.generation,
            moved: Duration::ZERO,
            rng,
        }
    }

    /// Which instance of the protocol runs.
    pub(super) fn instance(&self) -> u32 {
        self.instance
    }

    /// This node's generation.
    pub(super) fn generation(&self) -> u64 {
        self.foca.identity().generation
    }

    /// The random choices of this node.
    pub(super) fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    /// Nodes that answer, without this one.
    pub(super) fn active(&self) -> &[NodeId] {
        &self.active
    }

    /// Whether a node answers.
    pub(super) fn is_up(&self, node: NodeId) -> bool {
        matches!(self.standing(node), Some(Standing::Up { .. }))
    }

    /// Fingerprint of the nodes that answer, and when it changed last.
    pub(super) fn digest(&self) -> (u64, Duration) {
        (self.sum, self.moved)
    }

    /// How a node is; `None`: the managers do not know it.
    pub(super) fn standing(&self, node: NodeId) -> Option<Standing> {
        self.nodes.get(&node).map(|known| known.standing)
    }

    /// Whether the managers know a node.
    pub(super) fn knows(&self, node: NodeId) -> bool {
        node == self.foca.identity().node || self.nodes.contains_key(&node)
    }

    /// Where a node listens.
    pub(super) fn address(&self, node: NodeId) -> Option<SocketAddr> {
        self.nodes.get(&node).map(|known| known.address)
    }

    /// Every node with its standing.
    pub(super) fn standings(&self) -> impl Iterator<Item = (NodeId, Standing)> {
        self.nodes
            .iter()
            .map(|(node, known)| (*node, known.standing))
    }

    /// The managers know these nodes and no others. Returns those that are gone.
    pub(super) fn set_nodes(
        &mut self,
        addresses: &BTreeMap<NodeId, SocketAddr>,
        now: Duration,
    ) -> Vec<NodeId> {
        let this = self.foca.identity().node;
        for (node, address) in addresses.iter().filter(|(node, _)| **node != this) {
            let fresh = Node {
                address: *address,
                standing: Standing::Unheard { since: now },
            };
            self.nodes.entry(*node).or_insert(fresh).address = *address;
        }
        let gone: Vec<NodeId> = self
            .nodes
            .keys()
            .copied()
            .filter(|node| !addresses.contains_key(node))
            .collect();
        for node in &gone {
            self.stand(*node, Standing::Left, now);
            self.nodes.remove(node);
            self.remove_from_protocol(*node);
        }
        self.resize();
        gone
    }

    fn remove_from_protocol(&mut self, node: NodeId) {
        let known = |member: &&foca::Member<Life>| member.id().node == node;
        let Some(life) = self
            .foca
            .iter_membership_state()
            .find(known)
            .map(|member| *member.id())
        else {
            return;
        };
        let mut silent = Collected::default();
        let down = std::iter::once(foca::Member::down(life));
        // What it wants to tell of this does not matter: the managers tell everybody.
        drop(self.foca.apply_many(down, false, &mut silent));
        drop(
            self.foca
                .handle_timer(foca::Timer::RemoveDown(life), &mut silent),
        );
    }

    fn resize(&mut self) {
        let config = config(&self.pace, self.nodes.len() + 1);
        // It refuses only other periods than at first, and these are constant.
        drop(self.foca.set_config(config));
    }

    /// A packet of the protocol.
    pub(super) fn handle_packet(
        &mut self,
        from: NodeId,
        packet: &[u8],
        now: Duration,
    ) -> Result<(Vec<Outcome>, usize), Refused> {
        let (packet, strangers) = admission::admitted(packet, from, |node| self.knows(node))?;
        let mut collected = Collected::default();
        let outcome = self.foca.handle_data(&packet, &mut collected);
        let outcomes = self.settle(collected, now);
        match outcome {
            Err(foca::Error::Decode(_) | foca::Error::MalformedPacket) => Err(Refused::Malformed),
            _ => Ok((outcomes, strangers)),
        }
    }

    /// A timer of the protocol.
    pub(super) fn handle_timer(
        &mut self,
        instance: u32,
        timer: foca::Timer<Life>,
        now: Duration,
    ) -> Vec<Outcome> {
        if instance != self.instance {
            return Vec::new();
        }
        let mut collected = Collected::default();
        // It reports probes that were cut short, and goes on by itself.
        drop(self.foca.handle_timer(timer, &mut collected));
        self.settle(collected, now)
    }

    /// Tries to get into contact with nodes that do not answer, few at a time: about four attempts
    /// per second reach each of them from all nodes together.
    pub(super) fn reconnect(&mut self, now: Duration) -> Vec<Outcome> {
        let company = self.active.len();
        let all = 1000 * company.max(1) as u32;
        let some = all.min(4 * self.pace.reconnect.as_millis() as u32);
        let silent: Vec<Life> = self
            .nodes
            .iter()
            .filter(|(_, known)| !matches!(known.standing, Standing::Up { .. }))
            .map(|(node, known)| Life {
                node: *node,
                address: known.address,
                generation: 0,
            })
            .collect();
        let is_lonely = company * 2 < silent.len();
        let chosen = silent.into_iter().sample(&mut self.rng, 3);
        let mut collected = Collected::default();
        for life in chosen {
            if is_lonely || self.rng.random_ratio(some, all) {
                drop(self.foca.announce(life, &mut collected));
            }
        }
        self.settle(collected, now)
    }

    /// Nodes that were never heard of for too long count as failed. Returns them.
    pub(super) fn give_up_on_silent(&mut self, now: Duration) -> Vec<NodeId> {
        let limit = self.pace.silence;
        let silent: Vec<NodeId> = self
            .standings()
            .filter(|(_, standing)| {
                matches!(standing, Standing::Unheard { since } if now.saturating_sub(*since) >= limit)
            })
            .map(|(node, _)| node)
            .collect();
        for node in &silent {
            self.stand(*node, Standing::Failed, now);
        }
        silent
    }

    /// This node leaves.
    pub(super) fn leave(&mut self) -> Vec<Outcome> {
        let mut collected = Collected::default();
        drop(self.foca.leave_cluster(&mut collected));
        self.instance += 1;
        let is_send = |outcome: &Outcome| matches!(outcome, Outcome::Send(..));
        collected.outcomes.into_iter().filter(is_send).collect()
    }

    /// Keeps the books, and begins anew where this node is alone: what it has found out about the
    /// others then says more about its own way to them, and must not be told.
    fn settle(&mut self, collected: Collected, now: Duration) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(collected.outcomes.len());
        let mut is_alone = false;
        for outcome in collected.outcomes {
            match &outcome {
                Outcome::Up(node) => {
                    let generation = self.life_of(*node).map_or(0, |life| life.generation);
                    self.stand(*node, Standing::Up { generation }, now);
                }
                Outcome::Down(node) => self.stand(*node, Standing::Failed, now),
                Outcome::Renewed(node) => {
                    if self.is_up(*node) {
                        let generation = self.life_of(*node).map_or(0, |life| life.generation);
                        self.stand(*node, Standing::Up { generation }, now);
                    }
                }
                Outcome::Alone => is_alone = true,
                Outcome::Send(to, _) if !self.nodes.contains_key(&to.node) => continue,
                Outcome::Send(..)
                | Outcome::Start(..)
                | Outcome::Doubt(..)
                | Outcome::Joined
                | Outcome::Rejoined => {}
            }
            outcomes.push(outcome);
        }
        if is_alone {
            self.begin_anew();
            outcomes.retain(|outcome| !matches!(outcome, Outcome::Start(..)));
        }
        self.sign(now);
        outcomes
    }

    fn begin_anew(&mut self) {
        let old = *self.foca.identity();
        let life = Life {
            generation: old.generation.saturating_add(1),
            ..old
        };
        self.instance += 1;
        self.foca = begun(life, &self.pace, self.nodes.len() + 1, &mut self.rng);
    }

    fn life_of(&self, node: NodeId) -> Option<Life> {
        self.foca
            .iter_members()
            .find(|member| member.id().node == node)
            .map(|member| *member.id())
    }

    fn stand(&mut self, node: NodeId, standing: Standing, now: Duration) {
        let Some(known) = self.nodes.get_mut(&node) else {
            return;
        };
        let before = std::mem::replace(&mut known.standing, standing);
        if let Standing::Up { generation } = before {
            self.sum ^= fingerprint::of_life(node, generation);
            self.active.retain(|active| *active != node);
            self.moved = now;
        }
        if let Standing::Up { generation } = standing {
            self.sum ^= fingerprint::of_life(node, generation);
            self.active.push(node);
            self.moved = now;
        }
    }

    fn sign(&mut self, now: Duration) {
        let Life {
            node, generation, ..
        } = *self.foca.identity();
        if generation != self.signed {
            self.sum ^=
                fingerprint::of_life(node, self.signed) ^ fingerprint::of_life(node, generation);
            self.signed = generation;
            self.moved = now;
        }
    }
}

fn begun(
    life: Life,
    pace: &Pace,
    size: usize,
    rng: &mut StdRng,
) -> Foca<Life, PostcardCodec, StdRng, NoCustomBroadcast> {
    let rng = StdRng::from_rng(rng);
    Foca::new(life, config(pace, size), rng, PostcardCodec)
}

fn config(pace: &Pace, size: usize) -> foca::Config {
    let size = u32::try_from(size).ok().and_then(NonZeroU32::new);
    let mut config = foca::Config::new_lan(size.unwrap_or(NonZeroU32::MIN));
    let packet = pace.datagram.saturating_sub(wire::PREFIX);
    config.max_packet_size = NonZeroUsize::new(packet).unwrap_or(NonZeroUsize::MIN);
    // Both are done here, by what the managers say.
    config.periodic_announce = None;
    config.periodic_announce_to_down_members = None;
    config
}

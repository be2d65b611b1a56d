//! The nodes, the wires between them, and the clock.

mod agreement;
mod sessions;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    net::SocketAddr,
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use self::sessions::Session;
use super::super::{Effect, Event, Gossip, Pace, Settings, Timer};
use crate::model::{Claim, NodeId, Vni};

/// Node by number; numbers begin at 0.
pub(crate) fn node(number: usize) -> NodeId {
    NodeId::from_random(1 + number as u128)
}

/// Network by number; numbers begin at 0.
pub(crate) fn vni(number: usize) -> Vni {
    Vni::try_from(4096 + u32::try_from(number).unwrap()).unwrap()
}

fn number(node: NodeId) -> usize {
    usize::try_from(node.bits()).unwrap() - 1
}

fn address(number: usize) -> SocketAddr {
    let number = u32::try_from(number).unwrap();
    (std::net::Ipv4Addr::from(0x0aff_0000 + number), 7946).into()
}

/// A run of a node.
pub(crate) struct Run {
    pub(crate) gossip: Gossip,
    /// Timers and datagrams of earlier runs are void.
    life: u32,
}

/// What the wires do.
#[derive(Clone, Debug)]
pub(crate) struct Wires {
    /// Chance that a datagram is lost.
    pub(crate) loss: f64,
    /// Shortest and longest way, microseconds.
    pub(crate) delay: (u64, u64),
}

enum Happening {
    Datagram {
        from: usize,
        to: usize,
        bytes: Vec<u8>,
    },
    Timer {
        at: usize,
        life: u32,
        timer: Timer,
    },
    Exchange {
        from: usize,
        to: usize,
        life: u32,
    },
    View {
        at: usize,
        life: u32,
    },
    /// One side's turn of an exchange.
    Frames {
        session: u64,
        by_first: bool,
        frames: Vec<Vec<u8>>,
    },
}

/// Bytes and datagrams that a node has sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
    pub(crate) stream_bytes: u64,
    pub(crate) exchanges: u64,
}

/// All of it.
pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) rng: StdRng,
    pub(crate) wires: Wires,
    pub(crate) pace: Pace,
    pub(crate) runs: Vec<Option<Run>>,
    pub(crate) traffic: Vec<Traffic>,
    /// Events since they were last taken: when, where, what.
    pub(crate) events: Vec<(Duration, usize, Event)>,
    /// What node 0 hears, where that is wanted.
    pub(crate) overheard: Option<Vec<Vec<u8>>>,
    /// Nodes that the managers know.
    members: BTreeMap<NodeId, SocketAddr>,
    /// Side of the split on which each node is.
    sides: BTreeMap<usize, u32>,
    /// Two nodes that do not reach each other, although they reach all others.
    cut: Option<(usize, usize)>,
    lives: u32,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    sessions: BTreeMap<u64, Session>,
    serial: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Duration::from_secs(1),
            rng: StdRng::seed_from_u64(seed),
            wires: Wires {
                loss: 0.0,
                delay: (300, 1000),
            },
            pace: Pace::default(),
            runs: Vec::new(),
            traffic: Vec::new(),
            events: Vec::new(),
            overheard: None,
            members: BTreeMap::new(),
            sides: BTreeMap::new(),
            cut: None,
            lives: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sessions: BTreeMap::new(),
            serial: 0,
        }
    }

    /// A world of so many nodes that know each other.
    pub(crate) fn settled(seed: u64, nodes: usize) -> Self {
        let mut world = Self::new(seed);
        for number in 0..nodes {
            world.admit(number);
        }
        for number in 0..nodes {
            world.boot(number, Vec::new());
        }
        world.run_for(Duration::from_secs(10));
        world.events.clear();
        world
    }

    /// The managers know a node from now on.
    pub(crate) fn admit(&mut self, number: usize) {
        self.members.insert(node(number), address(number));
        while self.runs.len() <= number {
            self.runs.push(None);
            self.traffic.push(Traffic::default());
        }
        self.spread_view();
    }

    /// The managers forget a node.
    pub(crate) fn remove(&mut self, number: usize) {
        self.members.remove(&node(number));
        self.spread_view();
    }

    fn spread_view(&mut self) {
        for at in 0..self.runs.len() {
            if let Some(life) = self.runs[at].as_ref().map(|run| run.life) {
                let delay = Duration::from_micros(self.rng.random_range(1_000..200_000));
                self.schedule(delay, Happening::View { at, life });
            }
        }
    }

    /// A node starts with these claims.
    pub(crate) fn boot(&mut self, number: usize, claims: Vec<Claim>) {
        let epoch = u64::try_from(self.now.as_millis()).unwrap() + 1;
        self.boot_as(number, claims, epoch);
    }

    /// A node starts in this epoch.
    pub(crate) fn boot_as(&mut self, number: usize, claims: Vec<Claim>, epoch: u64) {
        self.lives += 1;
        let settings = Settings {
            node: node(number),
            address: address(number),
            epoch,
            seed: self.rng.random(),
            pace: self.pace.clone(),
        };
        let (mut gossip, errors) = Gossip::new(settings, claims);
        assert!(errors.is_empty(), "{errors:?}");
        let mut effects = Vec::new();
        gossip.members_known(&self.members, self.now, &mut effects);
        gossip.start(self.now, &mut effects);
        self.runs[number] = Some(Run {
            gossip,
            life: self.lives,
        });
        self.carry_out(number, effects);
    }

    /// A node is gone without a word.
    pub(crate) fn crash(&mut self, number: usize) {
        self.runs[number] = None;
    }

    /// Puts a node on a side; only nodes on one side reach each other.
    pub(crate) fn split(&mut self, number: usize, side: u32) {
        self.sides.insert(number, side);
    }

    /// All nodes reach each other again.
    pub(crate) fn heal(&mut self) {
        self.sides.clear();
    }

    /// These two do not reach each other any more.
    pub(crate) fn cut(&mut self, one: usize, other: usize) {
        self.cut = Some((one, other));
    }

    /// They do again.
    pub(crate) fn mend(&mut self) {
        self.cut = None;
    }

    pub(crate) fn reaches(&self, from: usize, to: usize) -> bool {
        let side = |number| self.sides.get(&number).copied().unwrap_or(0);
        let is_cut = self.cut == Some((from, to)) || self.cut == Some((to, from));
        side(from) == side(to) && !is_cut
    }

    pub(crate) fn alive(&self) -> Vec<usize> {
        (0..self.runs.len())
            .filter(|number| self.runs[*number].is_some())
            .collect()
    }

    pub(crate) fn gossip(&self, number: usize) -> &Gossip {
        &self.runs[number].as_ref().expect("runs").gossip
    }

    pub(crate) fn gossip_mut(&mut self, number: usize) -> &mut Gossip {
        &mut self.runs[number].as_mut().expect("runs").gossip
    }

    /// Does something at a node and carries out what follows.
    pub(crate) fn at<T>(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut Gossip, Duration, &mut Vec<Effect>) -> T,
    ) -> T {
        let mut effects = Vec::new();
        let now = self.now;
        let result = act(self.gossip_mut(number), now, &mut effects);
        self.carry_out(number, effects);
        result
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.serial += 1;
        self.queue.push(Reverse((self.now + after, self.serial)));
        self.happenings.insert(self.serial, happening);
    }

    fn delay(&mut self) -> Duration {
        let (least, most) = self.wires.delay;
        Duration::from_micros(self.rng.random_range(least..=most))
    }

    fn carry_out(&mut self, at: usize, effects: Vec<Effect>) {
        let Some(life) = self.runs[at].as_ref().map(|run| run.life) else {
            return;
        };
        for effect in effects {
            match effect {
                Effect::Send { to, datagram, .. } => {
                    assert!(datagram.len() <= self.pace.datagram, "{}", datagram.len());
                    self.traffic[at].datagrams += 1;
                    self.traffic[at].bytes += datagram.len() as u64;
                    let to = number(to);
                    if self.reaches(at, to) && !self.rng.random_bool(self.wires.loss) {
                        let delay = self.delay();
                        let bytes = datagram;
                        self.schedule(
                            delay,
                            Happening::Datagram {
                                from: at,
                                to,
                                bytes,
                            },
                        );
                    }
                }
                Effect::StartTimer { timer, after } => {
                    self.schedule(after, Happening::Timer { at, life, timer });
                }
                Effect::Exchange { with, .. } => {
                    // A connection and its handshake: two round trips.
                    let delay = self.delay() * 4;
                    let to = number(with);
                    self.schedule(delay, Happening::Exchange { from: at, to, life });
                }
                Effect::Event(event) => self.events.push((self.now, at, event)),
            }
        }
    }

    /// How long ago that was.
    pub(crate) fn since(&self, then: Duration) -> Duration {
        self.now.saturating_sub(then)
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        self.run_until(end, |_| false);
    }

    /// Lets time pass until something holds, which is asked after each step of `grain`, but at most to
    /// `end`. Returns whether it holds.
    pub(crate) fn wait(
        &mut self,
        grain: Duration,
        most: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> bool {
        let end = self.now + most;
        while self.now < end {
            if holds(self) {
                return true;
            }
            self.run_for(grain);
        }
        holds(self)
    }

    fn run_until(&mut self, end: Duration, stop: impl Fn(&Self) -> bool) {
        while let Some(Reverse((when, serial))) = self.queue.peek().copied() {
            if when > end || stop(self) {
                break;
            }
            self.queue.pop();
            self.now = when;
            if let Some(happening) = self.happenings.remove(&serial) {
                self.happen(happening);
            }
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Datagram { from, to, bytes } => {
                if self.runs[to].is_some() && self.reaches(from, to) {
                    self.overhear(to, std::slice::from_ref(&bytes));
                    self.at(to, |gossip, now, effects| {
                        match gossip.handle_datagram(node(from), &bytes, now, effects) {
                            Ok(()) | Err(super::super::Refused::Stranger { .. }) => {}
                            Err(error) => panic!("{error} from {from} at {to}: {bytes:?}"),
                        }
                    });
                }
            }
            Happening::Timer { at, life, timer } => {
                if self.is_life(at, life) {
                    self.at(at, |gossip, now, effects| {
                        gossip.handle_timer(timer, now, effects);
                    });
                }
            }
            Happening::Exchange { from, to, life } => {
                if self.is_life(from, life) {
                    self.exchange(from, to);
                }
            }
            Happening::Frames {
                session,
                by_first,
                frames,
            } => self.read(session, by_first, &frames),
            Happening::View { at, life } => {
                if self.is_life(at, life) {
                    let members = self.members.clone();
                    self.at(at, |gossip, now, effects| {
                        gossip.members_known(&members, now, effects);
                    });
                }
            }
        }
    }

    fn overhear(&mut self, at: usize, messages: &[Vec<u8>]) {
        if let Some(overheard) = &mut self.overheard
            && at == 0
        {
            overheard.extend_from_slice(messages);
        }
    }

    fn is_life(&self, at: usize, life: u32) -> bool {
        self.runs[at].as_ref().is_some_and(|run| run.life == life)
    }
}

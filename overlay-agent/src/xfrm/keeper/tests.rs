//! Nodes over kernels in memory, whose words are lost, doubled and overtaken.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    model::RingKey,
    xfrm::{Protection, StateId, fake::FakeKernel},
};

const PORT: u16 = 4789;
const MARK: u32 = 0xe500_0000;

fn node(place: usize) -> NodeId {
    NodeId::from_random(place as u128 + 1)
}

fn address(place: usize) -> IpAddr {
    IpAddr::from([192, 0, 2, u8::try_from(place).unwrap() + 1])
}

fn ring(newest: u32) -> KeyRing {
    let key = |number: u32| RingKey {
        number,
        secret: [u8::try_from(number).unwrap(); 32],
    };
    let oldest = newest.saturating_sub(2).max(1);
    KeyRing {
        primary: (newest - 1).max(1),
        keys: (oldest..=newest).map(key).collect(),
    }
}

struct World {
    nodes: Vec<Keeper<FakeKernel>>,
    /// The newest key that each node knows.
    rings: Vec<u32>,
    words: Vec<(usize, usize, Word)>,
    now: Duration,
    run: u64,
    seed: u64,
    /// Names of states that a node has lost by force: who sealed, or was about to, cannot know yet.
    excused: BTreeMap<usize, BTreeSet<u32>>,
}

impl World {
    fn new(count: usize) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            rings: vec![3; count],
            words: Vec::new(),
            now: Duration::ZERO,
            run: 0,
            seed: 0,
            excused: BTreeMap::new(),
        };
        for place in 0..count {
            let fresh = world.keeper(place, FakeKernel::default(), BTreeMap::new());
            world.nodes.push(fresh);
        }
        for place in 0..count {
            world.turn(place);
        }
        world
    }

    fn keeper(
        &mut self,
        place: usize,
        kernel: FakeKernel,
        kept: BTreeMap<NodeId, Kept>,
    ) -> Keeper<FakeKernel> {
        self.run += 1;
        self.seed += 1_000_000;
        let mut next = self.seed;
        let identity = Identity {
            this: node(place),
            local: address(place),
            port: PORT,
            mark: MARK,
            run: self.run,
        };
        let random = Box::new(move || {
            next += 1;
            next
        });
        let schedule = Schedule::new("test", ring(self.rings[place]));
        let mut keeper = Keeper::new(kernel, identity, schedule, kept, random, self.now).unwrap();
        let others = (0..self.rings.len()).filter(|other| *other != place);
        let peer = |other: usize| Peer {
            address: address(other),
            number: Some(u32::try_from(other).unwrap() + 1),
        };
        keeper.set_surroundings(Surroundings {
            peers: others.clone().map(|it| (node(it), peer(it))).collect(),
            wanted: others.map(node).collect(),
            guards: true,
        });
        keeper
    }

    fn turn(&mut self, place: usize) {
        let words = self.nodes[place].turn(self.now, |_kept| Ok(()));
        for (to, word) in words.expect("the fake does all") {
            let to = (0..self.rings.len()).find(|it| node(*it) == to).unwrap();
            let bytes = word.encoded();
            self.words.push((place, to, Word::decoded(&bytes).unwrap()));
        }
        self.check();
    }

    /// What a node seals with for another: the state that its policy names, if that is there.
    fn sealed(&mut self, from: usize, to: usize) -> Option<u32> {
        let kernel = self.nodes[from].kernel();
        let mut policies = kernel.policies.iter();
        let (_, protection) = policies.find(|(key, _)| key.destination == Some(address(to)))?;
        let Protection::Seal(spi) = *protection else {
            return None;
        };
        let id = StateId {
            destination: address(to),
            spi,
        };
        kernel.states.contains_key(&id).then_some(spi)
    }

    fn each_way(&self) -> Vec<(usize, usize)> {
        let count = self.nodes.len();
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        pairs.filter(|(from, to)| from != to).collect()
    }

    /// What is sealed can be opened, by a state that names the sender.
    fn check(&mut self) {
        if self.nodes.len() < self.rings.len() {
            return;
        }
        for (from, to) in self.each_way() {
            let Some(spi) = self.sealed(from, to) else {
                continue;
            };
            if self.is_excused(to, spi) {
                continue;
            }
            let id = StateId {
                destination: address(to),
                spi,
            };
            let there = self.nodes[to].kernel().states.get(&id).copied();
            let there = there.unwrap_or_else(|| panic!("{to} cannot open what {from} seals"));
            assert_eq!(there.source, address(from));
            assert_eq!(there.mark, Some(MARK | (u32::try_from(from).unwrap() + 1)));
        }
        let mut all = BTreeSet::new();
        for keeper in &mut self.nodes {
            let kernel = keeper.kernel();
            assert_eq!(kernel.reused, 0, "a key began anew");
            let sealing = kernel.used.iter().filter(|(is_sealing, _)| *is_sealing);
            for (_, key) in sealing {
                assert!(all.insert(key.clone()), "two nodes seal with one key");
            }
        }
    }

    fn deliver(&mut self, index: usize, keeps: bool) {
        if self.words.is_empty() {
            return;
        }
        let index = index % self.words.len();
        let (from, to, word) = if keeps {
            self.words[index].clone()
        } else {
            self.words.remove(index)
        };
        self.nodes[to].hear(node(from), &word, self.now);
        self.turn(to);
    }

    fn is_excused(&self, place: usize, spi: u32) -> bool {
        let excused = self.excused.get(&place);
        excused.is_some_and(|names| names.contains(&spi))
    }

    /// What the kernel of a node holds is about to go by force.
    fn excuse(&mut self, place: usize) {
        let states = &self.nodes[place].kernel().states;
        let names: Vec<u32> = states.keys().map(|id| id.spi).collect();
        self.excused.entry(place).or_default().extend(names);
    }

    fn flush(&mut self, place: usize) {
        self.excuse(place);
        self.nodes[place].kernel().states.clear();
        self.nodes[place].audit().unwrap();
        self.turn(place);
    }

    /// The agent again; `kernel` says whether the kernel, too.
    fn restart(&mut self, place: usize, kernel: bool) {
        let kept = self.nodes[place].saved().clone();
        if kernel {
            self.excuse(place);
        }
        let mut old = std::mem::take(self.nodes[place].kernel());
        if kernel {
            old.states.clear();
            old.policies.clear();
        }
        self.nodes[place] = self.keeper(place, old, kept);
        self.turn(place);
    }

    fn tell_ring(&mut self, place: usize) {
        let newest = *self.rings.iter().max().unwrap();
        self.rings[place] = newest;
        self.nodes[place].set_ring(ring(newest));
        self.turn(place);
    }

    fn is_settled(&self) -> bool {
        let newest = *self.rings.iter().max().unwrap();
        let is_known = self.rings.iter().all(|known| *known == newest);
        is_known
            && self.each_way().into_iter().all(|(here, there)| {
                let pair = self.nodes[here].pair(node(there));
                pair.is_some_and(|pair| pair.is_settled(newest - 1))
            })
    }

    fn needs_excuse(&mut self) -> bool {
        let mut ways = self.each_way().into_iter();
        ways.any(|(from, to)| {
            let sealed = self.sealed(from, to);
            sealed.is_none_or(|spi| self.is_excused(to, spi))
        })
    }

    /// Time goes on and nothing is lost any more.
    fn settle(&mut self) {
        for _ in 0..200 {
            for place in 0..self.nodes.len() {
                self.tell_ring(place);
            }
            while !self.words.is_empty() {
                self.deliver(0, false);
            }
            self.now += Duration::from_secs(1);
            if self.is_settled() && !self.needs_excuse() {
                return;
            }
        }
        panic!("the nodes never agree");
    }
}

#[derive(Clone, Debug)]
enum Event {
    Deliver(usize),
    Double(usize),
    Lose(usize),
    Wait(u64),
    Flush(usize),
    FlushPolicies(usize),
    Restart(usize),
    Reboot(usize),
    Rotate(usize),
    Hear(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => any::<usize>().prop_map(Event::Deliver),
        2 => any::<usize>().prop_map(Event::Double),
        3 => any::<usize>().prop_map(Event::Lose),
        4 => (0_u64..30_000).prop_map(Event::Wait),
        1 => any::<usize>().prop_map(Event::Flush),
        1 => any::<usize>().prop_map(Event::FlushPolicies),
        1 => any::<usize>().prop_map(Event::Restart),
        1 => any::<usize>().prop_map(Event::Reboot),
        2 => any::<usize>().prop_map(Event::Rotate),
        3 => any::<usize>().prop_map(Event::Hear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_sealed_can_be_opened_and_no_key_begins_twice(
        count in 2_usize..4,
        events in proptest::collection::vec(event(), 0..150),
    ) {
        let mut world = World::new(count);
        for event in events {
            match event {
                Event::Deliver(index) => world.deliver(index, false),
                Event::Double(index) => world.deliver(index, true),
                Event::Lose(index) => if !world.words.is_empty() {
                    let index = index % world.words.len();
                    world.words.remove(index);
                },
                Event::Wait(ms) => {
                    world.now += Duration::from_millis(ms);
                    (0..count).for_each(|place| world.turn(place));
                }
                Event::Flush(place) => world.flush(place % count),
                Event::FlushPolicies(place) => {
                    let place = place % count;
                    world.nodes[place].kernel().policies.clear();
                    world.nodes[place].audit().unwrap();
                    world.turn(place);
                    prop_assert!(world.nodes[place].kernel().policies.len() >= 2);
                }
                Event::Restart(place) => world.restart(place % count, false),
                Event::Reboot(place) => world.restart(place % count, true),
                // Faster than the nodes agree would drop a key that is in use, as it must.
                Event::Rotate(place) => if world.is_settled() && world.rings[0] < 200 {
                    world.rings[place % count] += 1;
                    world.tell_ring(place % count);
                },
                Event::Hear(place) => world.tell_ring(place % count),
            }
        }
        world.settle();
        for (from, to) in world.each_way() {
            prop_assert!(world.sealed(from, to).is_some());
        }
    }
}

#[test]
fn three_rotations_leave_no_state_of_an_old_key() {
    let mut world = World::new(2);
    world.settle();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(world.nodes[0].kernel().states.clone());
        world.rings[0] += 1;
        world.settle();
    }

    let present = world.nodes[0].kernel().states.clone();

    assert!(seen[0].keys().all(|old| !present.contains_key(old)));
    assert!(present.len() >= 2);
}

#[test]
fn a_node_that_was_away_for_three_rotations_agrees_on_new_keys_by_itself() {
    let mut world = World::new(2);
    world.settle();
    let before = world.sealed(0, 1);
    // Node 1 hears nothing, and node 0 has dropped all that it knows.
    for _ in 0..4 {
        world.rings[0] += 1;
        world.excuse(0);
        world.tell_ring(0);
        world.words.clear();
        world.now += Duration::from_hours(12);
    }
    assert_eq!(world.sealed(0, 1), None, "an old key is still in use");

    world.settle();

    assert!(world.sealed(0, 1).is_some());
    assert_ne!(world.sealed(0, 1), before);
    assert!(world.sealed(1, 0).is_some());
}

#[test]
fn nothing_reaches_the_kernel_that_the_disk_did_not_take() {
    let mut world = World::new(2);
    while let Some((from, to, word)) = world.words.pop() {
        world.nodes[to].hear(node(from), &word, world.now);
    }

    let failed = world.nodes[1].turn(world.now, |_kept| Err(io::Error::other("full")));

    assert!(matches!(failed, Err(KeepError::Disk(_))));
    assert!(world.nodes[1].kernel().states.is_empty());
    world.turn(1);
    assert!(!world.nodes[1].kernel().states.is_empty());
}

#[test]
fn what_has_the_name_of_a_new_state_makes_way_for_none_and_another_is_agreed_on() {
    let mut world = World::new(2);
    let (_, _, said) = world.words.iter().find(|(from, ..)| *from == 0).unwrap();
    let schedule = Schedule::new("test", ring(3));
    let material = schedule.material(node(0), node(1), said.offered.unwrap());
    let taken = StateId {
        destination: address(1),
        spi: material.unwrap().spi,
    };
    let foreign = crate::xfrm::StateRow {
        source: address(0),
        mark: None,
    };
    world.nodes[1].kernel().states.insert(taken, foreign);

    world.settle();

    assert_ne!(world.sealed(0, 1), Some(taken.spi));
    assert!(world.sealed(0, 1).is_some());
}

#[test]
fn all_of_ours_can_be_taken_away() {
    let mut world = World::new(2);
    world.settle();
    let kernel = world.nodes[0].kernel();
    assert!(!kernel.states.is_empty());

    let gone = clear(kernel).unwrap();

    assert!(gone >= 4);
    assert!(kernel.states.is_empty() && kernel.policies.is_empty());
}

#[test]
fn drift_is_told_once_and_repaired() {
    let mut world = World::new(2);
    world.settle();
    world.nodes[0].kernel().policies.clear();

    let drift = world.nodes[0].audit().unwrap();
    world.turn(0);

    assert_eq!(drift.len(), 3, "{drift:?}");
    assert_eq!(world.nodes[0].kernel().policies.len(), 3);
    assert_eq!(world.nodes[0].audit().unwrap(), []);
}

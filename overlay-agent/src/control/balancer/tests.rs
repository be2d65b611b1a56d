use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Instant,
};

use proptest::prelude::*;

use super::*;
use crate::{
    control::{Change, changes},
    model::{BackendId, Place, Protocol, PublishMode, PublishedPort, RingSpan, Task, Vni},
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn vni(number: u32) -> Vni {
    Vni::try_from(number).unwrap()
}

fn service(number: u128) -> ServiceId {
    ServiceId::from_random(number)
}

fn place(address: &str) -> Place {
    Place {
        vni: vni(1),
        address: ip(address),
    }
}

fn peers() -> BTreeMap<IpAddr, PeerId> {
    (1..=9)
        .map(|last| (IpAddr::from([192, 0, 2, last]), PeerId(last.into())))
        .collect()
}

fn task(node: u8, life: u64) -> Task {
    Task {
        node: (node > 0).then(|| IpAddr::from([192, 0, 2, node])),
        life,
        is_open: true,
    }
}

fn closed(task: Task) -> Task {
    Task {
        is_open: false,
        ..task
    }
}

/// A service with one VIP.
fn balanced(tasks: &[(&str, Task)]) -> Balanced {
    Balanced {
        vips: BTreeSet::from([place("10.0.0.2")]),
        tasks: tasks
            .iter()
            .map(|(address, task)| (place(address), *task))
            .collect(),
        ..Balanced::default()
    }
}

fn published(mode: PublishMode) -> PublishedPort {
    PublishedPort {
        protocol: Protocol::Tcp,
        published: 8080,
        target: 80,
        mode,
        address: None,
    }
}

/// A balancer and the tables that follow from it.
struct World {
    balancer: Balancer,
    tables: Tables,
}

impl World {
    fn new() -> Self {
        let mut balancer = Balancer::default();
        balancer.adopt(&Tables::default());
        Self {
            balancer,
            tables: Tables::default(),
        }
    }

    /// One change; returns how many entries were written.
    fn want(&mut self, id: ServiceId, wanted: Option<Balanced>) -> usize {
        self.balancer.want(&[(id, wanted)]);
        let placing = self.balancer.place_one(id, &peers());
        let mut writes: Vec<Change> = placing
            .rows
            .into_iter()
            .filter(|row| self.tables.get(&row.key()).as_ref() != Some(row))
            .map(Change::Put)
            .collect();
        writes.extend(placing.gone.into_iter().map(Change::Remove));
        for change in &writes {
            self.tables.record(change);
        }
        self.balancer.settle();
        writes.len()
    }

    fn ring(&self, span: RingSpan) -> Vec<u32> {
        let slots = (span.first..span.first + span.size).map(|slot| {
            let entry = self.tables.slots[&(slot / 32)];
            entry[slot as usize % 32]
        });
        slots.collect()
    }

    fn vip_ring(&self) -> Vec<u32> {
        self.ring(self.tables.vips[&place("10.0.0.2")].ring)
    }

    /// The addresses in the VIP's ring.
    fn reached(&self) -> BTreeSet<String> {
        let numbers: BTreeSet<u32> = self.vip_ring().into_iter().collect();
        let address = |number: u32| self.tables.backends[&BackendId(number)].place.address;
        numbers
            .into_iter()
            .map(|number| address(number).to_string())
            .collect()
    }
}

#[test]
fn a_vip_leads_to_every_task_alike() {
    let mut world = World::new();

    world.want(
        service(7),
        Some(balanced(&[
            ("10.0.0.5", task(0, 1)),
            ("10.0.0.6", task(2, 1)),
        ])),
    );

    let entry = world.tables.vips[&place("10.0.0.2")];
    assert_eq!(entry.service, 7);
    assert_eq!(entry.ring.size, 251);
    assert_eq!(world.tables.backends.len(), 2);
    assert_eq!(world.tables.backends[&BackendId(1)].peer, None);
    assert_eq!(world.tables.backends[&BackendId(2)].peer, Some(PeerId(2)));
    let first = world
        .vip_ring()
        .iter()
        .filter(|number| **number == 1)
        .count();
    assert!(first.abs_diff(251 / 2) <= 1, "{first}");
}

#[test]
fn a_closed_task_leaves_the_ring_and_stays_a_backend() {
    let mut world = World::new();
    let (one, two) = (task(1, 1), task(2, 1));
    world.want(
        service(7),
        Some(balanced(&[("10.0.0.5", one), ("10.0.0.6", two)])),
    );

    world.want(
        service(7),
        Some(balanced(&[("10.0.0.5", closed(one)), ("10.0.0.6", two)])),
    );

    assert_eq!(world.reached(), BTreeSet::from(["10.0.0.6".to_owned()]));
    assert_eq!(world.tables.backends.len(), 2);
    let numbers: Vec<u32> = world.tables.backends.keys().map(|id| id.0).collect();
    assert_eq!(numbers, [1, 2], "whoever is sent packets keeps its number");
}

#[test]
fn no_backend_takes_the_number_of_another() {
    let mut world = World::new();
    let mut seen = BTreeSet::new();
    let lives = [task(1, 1), task(1, 2), task(2, 2), task(0, 2), task(1, 2)];
    for life in lives {
        world.want(service(7), Some(balanced(&[("10.0.0.5", life)])));
        let number = *world.tables.backends.keys().next().unwrap();
        assert!(seen.insert(number), "{number:?}");
        world.want(service(7), Some(balanced(&[])));
        assert!(world.tables.backends.is_empty());
    }
}

#[test]
fn a_service_without_tasks_has_an_empty_ring() {
    let mut world = World::new();
    world.want(service(7), Some(balanced(&[("10.0.0.5", task(1, 1))])));

    world.want(service(7), Some(balanced(&[])));

    assert_eq!(
        world.tables.vips[&place("10.0.0.2")].ring,
        RingSpan::default()
    );
    assert!(world.tables.slots.is_empty());
}

#[test]
fn a_service_that_is_gone_leaves_nothing() {
    let mut world = World::new();
    let mut wanted = balanced(&[("10.0.0.5", task(1, 1))]);
    wanted.ports = BTreeSet::from([published(PublishMode::Ingress)]);
    wanted.port_network = Some(vni(1));
    world.want(service(7), Some(wanted));
    assert_eq!(world.tables.ports.len(), 2);

    world.want(service(7), None);

    assert_eq!(world.tables, Tables::default());
}

#[test]
fn tables_of_one_step_and_of_a_fresh_start_are_the_same() {
    let mut world = World::new();
    let mut wanted = balanced(&[("10.0.0.5", task(0, 1)), ("10.0.0.6", task(2, 1))]);
    wanted.ports = BTreeSet::from([published(PublishMode::Ingress)]);
    wanted.port_network = Some(vni(1));
    world.want(service(7), Some(wanted.clone()));
    world.want(service(8), Some(Balanced::default()));

    let all = world.balancer.place_all(&peers());

    assert_eq!(Tables::default().with_rows(all.rows), world.tables);
}

#[test]
fn an_ingress_port_knows_all_tasks_and_those_here_and_a_host_port_only_these() {
    for mode in [PublishMode::Ingress, PublishMode::Host] {
        let mut world = World::new();
        let mut wanted = balanced(&[("10.0.0.5", task(0, 1)), ("10.0.0.6", task(2, 1))]);
        wanted.ports = BTreeSet::from([published(mode)]);
        wanted.port_network = Some(vni(1));

        world.want(service(7), Some(wanted));

        let key = |address| PortKey {
            address: ip(address),
            protocol: Protocol::Tcp,
            port: 8080,
        };
        let entry = world.tables.ports[&key("0.0.0.0")];
        assert_eq!((entry.target, entry.vni, entry.service), (80, vni(1), 7));
        assert_eq!(entry.is_host, mode == PublishMode::Host);
        assert!(world.ring(entry.here).iter().all(|number| *number == 1));
        let everywhere: BTreeSet<u32> = world.ring(entry.everywhere).into_iter().collect();
        let expected = match mode {
            PublishMode::Ingress => BTreeSet::from([1, 2]),
            PublishMode::Host => BTreeSet::new(),
        };
        assert_eq!(everywhere, expected);
        let other = world.tables.ports[&key("::")];
        assert_eq!(
            (other.everywhere.size, other.here.size),
            (0, 0),
            "no IPv6 there"
        );
    }
}

#[test]
fn a_restart_moves_no_ring_and_renumbers_nobody() {
    let mut before = World::new();
    let wanted = balanced(&[("10.0.0.5", task(0, 1)), ("10.0.0.6", task(2, 1))]);
    before.want(
        service(6),
        Some(Balanced {
            vips: BTreeSet::from([place("10.0.0.3")]),
            ..wanted.clone()
        }),
    );
    before.want(service(7), Some(wanted.clone()));
    before.want(service(6), None);
    let actual = with_peers(before.tables);

    let mut balancer = Balancer::default();
    let lives_differ = wanted
        .tasks
        .iter()
        .map(|(place, task)| (*place, Task { life: 77, ..*task }));
    let wanted = Balanced {
        tasks: lives_differ.collect(),
        ..wanted
    };
    balancer.want(&[(service(7), Some(wanted))]);
    balancer.adopt(&actual);
    let after = with_peers(Tables::default().with_rows(balancer.place_all(&peers()).rows));

    assert_eq!(changes(&actual, &after).collect::<Vec<_>>(), []);
}

#[test]
fn tasks_of_others_are_believed_in_after_a_restart_until_they_have_told() {
    let mut before = World::new();
    before.want(
        service(7),
        Some(balanced(&[
            ("10.0.0.5", task(1, 1)),
            ("10.0.0.6", closed(task(2, 1))),
        ])),
    );
    let actual = with_peers(before.tables);
    let mut world = World {
        balancer: Balancer::default(),
        tables: actual.clone(),
    };

    // Nothing is known yet of what other nodes have.
    world.balancer.want(&[(service(7), Some(balanced(&[])))]);
    world.balancer.adopt(&actual);
    let rows = world.balancer.place_all(&peers()).rows;
    assert_eq!(with_peers(Tables::default().with_rows(rows)), actual);
    world.balancer.settle();

    // One tells, and is the one that was known.
    world.want(service(7), Some(balanced(&[("10.0.0.5", task(1, 9))])));
    assert_eq!(world.tables.backends.len(), 2);
    assert_eq!(world.balancer.disbelieve(), [service(7)]);
    world.want(service(7), Some(balanced(&[("10.0.0.5", task(1, 9))])));

    assert_eq!(
        world.tables.backends.keys().collect::<Vec<_>>(),
        [&BackendId(1)]
    );
}

fn with_peers(mut tables: Tables) -> Tables {
    tables.peers = peers()
        .into_iter()
        .map(|(remote, id)| {
            let entry = crate::model::PeerEntry {
                local: ip("192.0.2.100"),
                remote,
                next_hop: None,
                ifindex: 1,
                mtu: 1500,
                encap: crate::model::Encap::Native,
            };
            (id, entry)
        })
        .collect();
    tables
}

#[test]
fn where_slots_are_scarce_rings_are_small_and_nobody_goes_without() {
    let mut balancer = Balancer::new(512 + 256 + 64, 1);
    balancer.adopt(&Tables::default());
    let addresses = ["10.0.0.5", "10.0.0.6", "10.0.0.7"];
    let tasks: Vec<_> = addresses
        .iter()
        .map(|address| (*address, task(1, 1)))
        .collect();
    let mut sizes = Vec::new();
    for number in 1..=4_u128 {
        let wanted = Balanced {
            vips: BTreeSet::from([Place {
                vni: vni(1),
                address: IpAddr::from([10, 9, 0, number as u8]),
            }]),
            ..balanced(&tasks)
        };
        balancer.want(&[(service(number), Some(wanted))]);
        let placing = balancer.place_one(service(number), &peers());
        balancer.settle();
        let ring = placing.rows.iter().find_map(|row| {
            let Row::Vip(_, entry) = row else { return None };
            Some(entry.ring)
        });
        sizes.push((ring.unwrap().size, placing.is_crowded));
    }

    let single = RingSpan::SINGLE;
    assert_eq!(
        sizes,
        [(509, false), (251, true), (61, true), (single, true)]
    );
}

proptest! {
    /// However services change: no ring overlaps another, each slot names a backend that is there, and
    /// what the tables hold is what a fresh start with the same wishes would put there.
    #[test]
    fn tables_are_sound_after_any_history(
        steps in prop::collection::vec((1_u128..5, prop::option::of(prop::collection::btree_map(1_u8..30, (0_u8..5, 1_u64..3, any::<bool>()), 0..12))), 1..40),
    ) {
        let mut world = World::new();
        for (number, tasks) in steps {
            let wanted = tasks.map(|tasks| Balanced {
                vips: BTreeSet::from([Place { vni: vni(1), address: IpAddr::from([10, 9, 0, number as u8]) }]),
                tasks: tasks
                    .into_iter()
                    .map(|(last, (node, life, is_open))| {
                        let place = Place { vni: vni(1), address: IpAddr::from([10, 0, number as u8, last]) };
                        (place, Task { is_open, ..task(node, life) })
                    })
                    .collect(),
                ..Balanced::default()
            });
            world.want(service(number), wanted);
            let mut used = BTreeSet::new();
            for vip in world.tables.vips.values() {
                for number in world.ring(vip.ring) {
                    let backend = world.tables.backends.get(&BackendId(number));
                    prop_assert_eq!(backend.map(|backend| backend.service), Some(vip.service));
                }
                let (start, length) = crate::control::rings::region(vip.ring);
                for entry in start..start + length {
                    prop_assert!(used.insert(entry));
                }
            }
            let held: BTreeSet<u32> = world.tables.slots.keys().copied().collect();
            prop_assert_eq!(held, used);
        }
    }
}

/// Ten thousand services with ten tasks each: what planning takes, and how much of it one change does.
#[test]
fn ten_thousand_services_are_planned_quickly_and_one_change_touches_one() {
    const SERVICES: u32 = 10_000;
    let started = Instant::now();
    let mut world = World {
        balancer: Balancer::new(1 << 24, 1),
        tables: Tables::default(),
    };
    world.balancer.adopt(&Tables::default());
    let wish = |number: u32, tasks: u8| Balanced {
        vips: BTreeSet::from([Place {
            vni: vni(1),
            address: IpAddr::from(0x0a00_0000_u32.wrapping_add(number).to_be_bytes()),
        }]),
        tasks: (0..tasks)
            .map(|last| {
                let address =
                    IpAddr::from((0x0b00_0000 + (number << 4) + u32::from(last)).to_be_bytes());
                (
                    Place {
                        vni: vni(1),
                        address,
                    },
                    task(last % 5 + 1, 1),
                )
            })
            .collect(),
        ..Balanced::default()
    };
    let all: Vec<ServiceChange> = (1..=SERVICES)
        .map(|number| (service(number.into()), Some(wish(number, 10))))
        .collect();
    world.balancer.want(&all);
    let rows = world.balancer.place_all(&peers()).rows;
    let count = rows.len();
    world.tables = Tables::default().with_rows(rows);
    world.balancer.settle();
    let planned = started.elapsed();

    let started = Instant::now();
    let written = world.want(service(5000), Some(wish(5000, 9)));
    let changed = started.elapsed();

    let line = format!("{count} entries in {planned:?}; one task less: {written} in {changed:?}\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    assert_eq!(world.tables.vips.len(), 10_000);
    assert_eq!(world.tables.backends.len(), 99_999);
    assert!(written <= 1 + 32 + 1, "{written}");
    // Generous: this may be a debug build beside others.
    assert!(
        planned.as_secs() < 60 && changed.as_millis() < 1000,
        "{planned:?}, {changed:?}"
    );
}

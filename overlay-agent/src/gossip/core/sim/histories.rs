//! Random histories of small clusters, after which nothing stale may remain.

use std::{collections::BTreeMap, time::Duration};

use rand::RngExt;

use super::{World, print_row, size, vni};
use crate::model::Claim;

const NETWORKS: usize = 3;

/// What the managers and the disks of the nodes know.
struct History {
    world: World,
    nodes: usize,
    /// Claims that each node has on its disk.
    disks: BTreeMap<usize, Vec<Claim>>,
    admitted: usize,
    index: u64,
    log: Vec<String>,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let nodes = world.rng.random_range(5..=8);
        world.wires.loss = [0.0, 0.01, 0.1][world.rng.random_range(0..3)];
        let admitted = nodes - 2;
        for number in 0..admitted {
            world.admit(number);
            world.boot(number, Vec::new());
        }
        world.run_for(Duration::from_secs(3));
        Self {
            world,
            nodes,
            disks: BTreeMap::new(),
            admitted,
            index: 0,
            log: Vec::new(),
        }
    }

    fn step(&mut self) {
        let number = self.world.rng.random_range(0..self.admitted);
        let is_alive = self.world.alive().contains(&number);
        let choice = self.world.rng.random_range(0..100);
        self.log
            .push(format!("{:?} {number} {choice} {is_alive}", self.world.now));
        match (choice, is_alive) {
            (0..40, true) => self.claim(number),
            (40..60, true) => self.withdraw(number),
            (60..68, true) => self.world.crash(number),
            (60..90, false) => self.restart(number),
            (68..72, true) => self.leave_network(number),
            (72..80, _) => {
                let side = self.world.rng.random_range(0..2);
                self.world.split(number, side);
            }
            (80..84, _) => self.world.heal(),
            (84..88, _) if self.admitted < self.nodes => {
                self.world.admit(self.admitted);
                self.world.boot(self.admitted, Vec::new());
                self.admitted += 1;
            }
            (88..90, true) => {
                self.world.crash(number);
                self.restart(number);
            }
            _ => {}
        }
        let pause = [5, 50, 500, 3000, 10_000][self.world.rng.random_range(0..5)];
        self.world.run_for(Duration::from_millis(pause));
        self.note_losses();
    }

    /// A small pool of addresses, so that containers move and two nodes claim the same one.
    fn claim(&mut self, number: usize) {
        self.index += self.world.rng.random_range(0..2);
        let last = self.world.rng.random_range(1..12);
        let network = self.world.rng.random_range(0..NETWORKS);
        let claim = Claim {
            aliases: Vec::new(),
            task: None,
            vni: vni(network),
            address: std::net::Ipv4Addr::new(10, 0, 0, last).into(),
            name: format!("c{}", self.log.len()),
            endpoint: String::new(),
            mac: None,
            index: self.index,
        };
        let claimed = self.world.at(number, |gossip, now, effects| {
            gossip.claim(&claim, now, effects)
        });
        if claimed.is_ok() {
            let disk = self.disks.entry(number).or_default();
            disk.retain(|old| (old.vni, old.address) != (claim.vni, claim.address));
            disk.push(claim);
        }
    }

    fn withdraw(&mut self, number: usize) {
        let disk = self.disks.entry(number).or_default();
        if disk.is_empty() {
            return;
        }
        let gone = disk.remove(self.world.rng.random_range(0..disk.len()));
        self.world.at(number, |gossip, now, effects| {
            gossip.withdraw(gone.vni, gone.address, now, effects);
        });
    }

    fn leave_network(&mut self, number: usize) {
        let network = vni(self.world.rng.random_range(0..NETWORKS));
        self.disks
            .entry(number)
            .or_default()
            .retain(|claim| claim.vni != network);
        self.world.at(number, |gossip, now, effects| {
            gossip.leave_network(network, now, effects);
        });
    }

    /// With what is on its disk; sometimes that is empty, and sometimes the clock has gone back.
    fn restart(&mut self, number: usize) {
        if self.world.rng.random_bool(0.2) {
            self.disks.remove(&number);
        }
        let claims = self.disks.get(&number).cloned().unwrap_or_default();
        if self.world.rng.random_bool(0.1) {
            self.world.boot_as(number, claims, 1);
        } else {
            self.world.boot(number, claims);
        }
    }

    fn note_losses(&mut self) {
        for (_, at, event) in std::mem::take(&mut self.world.events) {
            if let super::super::Event::ClaimLost { claim, .. } = event
                && let Some(disk) = self.disks.get_mut(&at)
            {
                disk.retain(|own| (own.vni, own.address) != (claim.vni, claim.address));
            }
        }
    }

    fn end(mut self, seed: u64) -> Duration {
        self.world.heal();
        if self.world.rng.random_bool(0.3) && self.admitted > 2 {
            self.world.crash(0);
            self.world.remove(0);
        }
        let start = self.world.now;
        let is_right = self.world.wait(
            Duration::from_millis(500),
            Duration::from_mins(1),
            |world| world.all_agree_on_members() && world.all_right(),
        );
        let took = self.world.since(start);
        let wrong: Vec<String> = (0..self.admitted)
            .filter(|at| self.world.runs[*at].is_some())
            .filter_map(|at| self.world.wrong(at))
            .collect();
        let members: Vec<_> = self
            .world
            .alive()
            .into_iter()
            .map(|at| (at, self.world.gossip(at).membership.active().to_vec()))
            .collect();
        assert!(
            is_right,
            "history {seed}: {wrong:#?}\n{members:?}\n{:#?}",
            self.log
        );
        self.changes_are_complete();
        took
    }

    /// What was told in parts is what is told as a whole.
    fn changes_are_complete(&mut self) {
        for at in self.world.alive() {
            let changes = self.world.gossip_mut(at).take_changes();
            let observed = self.world.gossip(at).observed();
            for (place, winner) in &observed.claims {
                assert_eq!(changes.claims.get(place), Some(&Some(winner.clone())));
            }
            for (place, winner) in changes.claims {
                assert_eq!(observed.claims.get(&place).cloned(), winner);
            }
            for (other, has_failed) in changes.failed {
                assert_eq!(observed.failed.contains(&other), has_failed);
            }
        }
    }
}

#[test]
fn nothing_stale_remains_after_any_history() {
    let histories = size("OVERLAY_SIM_HISTORIES", 20);
    let first = size("OVERLAY_SIM_FIRST", 0);
    let mut times = Vec::new();
    for seed in first..first + histories {
        let seed = seed as u64;
        let mut history = History::new(seed);
        let steps = history.world.rng.random_range(20..80);
        for _ in 0..steps {
            history.step();
        }
        times.push(history.end(seed));
    }
    print_row(
        &format!("{histories} random histories: right after the last"),
        &[
            ("p50", format!("{:?}", super::percentile(&mut times, 50))),
            ("p99", format!("{:?}", super::percentile(&mut times, 99))),
            ("worst", format!("{:?}", super::percentile(&mut times, 100))),
        ],
    );
}

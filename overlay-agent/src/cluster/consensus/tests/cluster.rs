//! Managers with their disks on one switch.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::time::{sleep, timeout};

use super::{
    switch::Switch,
    table::{Command, Reply, Table, set},
};
use crate::{
    cluster::consensus::{
        Compaction, Consensus, Options, ProposeError, ReplicatedLog, Start, Timing, store::Disk,
    },
    model::NodeId,
};

/// How long the tests wait for what must happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// Managers by number.
pub(in super::super) struct Cluster {
    pub(in super::super) switch: Switch,
    pub(in super::super) compaction: Compaction,
    pub(in super::super) managers: BTreeMap<u64, Consensus<Table>>,
    pub(in super::super) disks: BTreeMap<u64, Disk>,
}

pub(in super::super) fn id(number: u64) -> NodeId {
    NodeId::from_random(number.into())
}

pub(in super::super) fn address(number: u64) -> SocketAddr {
    ([10, 0, 0, number as u8], 2377).into()
}

impl Cluster {
    /// A swarm of manager 1.
    pub(in super::super) async fn of_one() -> Self {
        Self::compacted(Compaction::default()).await
    }

    pub(in super::super) async fn compacted(compaction: Compaction) -> Self {
        let mut cluster = Self {
            switch: Switch::default(),
            compaction,
            managers: BTreeMap::new(),
            disks: BTreeMap::from([(1, Disk::formatted(id(1), 77))]),
        };
        cluster.start(1, Start::Init { epoch: 77 }).await;
        cluster
    }

    /// A swarm of managers 1, 2 and 3.
    pub(in super::super) async fn of_three() -> Self {
        let mut cluster = Self::of_one().await;
        cluster.join(2).await;
        cluster.join(3).await;
        cluster
    }

    pub(in super::super) fn options(&self, number: u64) -> Options {
        Options {
            data_dir: PathBuf::new(),
            id: id(number),
            address: address(number),
            timing: Timing::default(),
            compaction: self.compaction,
        }
    }

    pub(in super::super) async fn start(&mut self, number: u64, start: Start) {
        let disk = self.disks[&number].clone();
        let plug = self.switch.plug(id(number));
        let manager = Consensus::start_in(disk, start, self.options(number), plug);
        let manager = manager.await.unwrap();
        self.switch.attach(id(number), &manager);
        self.managers.insert(number, manager);
    }

    /// Starts a manager with nothing.
    pub(in super::super) async fn start_empty(&mut self, number: u64) {
        self.disks.insert(number, Disk::formatted(id(number), 0));
        self.start(number, Start::Join).await;
    }

    /// Adds a voter.
    pub(in super::super) async fn join(&mut self, number: u64) {
        self.start_empty(number).await;
        let (_, leader) = self.leader().await;
        leader.add_voter(id(number), address(number)).await.unwrap();
    }

    /// Ends a manager as a kill does: nothing more of it gets on its disk.
    pub(in super::super) async fn kill(&mut self, number: u64) {
        self.switch.detach(id(number));
        let disk = self.disks[&number].copy();
        self.disks.insert(number, disk);
        if let Some(manager) = self.managers.remove(&number) {
            manager.shutdown().await;
        }
    }

    pub(in super::super) async fn stop(&mut self, number: u64) {
        if let Some(manager) = self.managers.remove(&number) {
            manager.shutdown().await;
        }
        self.switch.detach(id(number));
    }

    /// The manager that leads, as soon as one does.
    pub(in super::super) async fn leader(&self) -> (u64, Consensus<Table>) {
        let find = async {
            loop {
                for (number, manager) in &self.managers {
                    if manager.read(|_| ()).await.is_ok() {
                        return (*number, manager.clone());
                    }
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, find).await.expect("nobody leads")
    }

    /// Writes by whoever leads.
    pub(in super::super) async fn write(&self, name: impl ToString, value: impl ToString) -> u64 {
        write(self.managers.values(), set(name, value)).await.0
    }

    /// Waits until all managers have obeyed the same, and returns their state.
    pub(in super::super) async fn agreed(&self) -> Table {
        let index = self.write("agreed", "").await;
        for (number, manager) in &self.managers {
            let mut applied = manager.applied();
            let reached = applied.wait_for(|applied| *applied >= index);
            let reached = timeout(PATIENCE, reached).await;
            drop(reached.unwrap_or_else(|_| panic!("{number} lags")).unwrap());
        }
        let mut states = self
            .managers
            .values()
            .map(|manager| manager.with_state(Table::clone));
        let first = states.next().unwrap();
        for state in states {
            assert_eq!(state, first);
        }
        first
    }
}

/// Tries the managers until one takes the command. The command may be obeyed twice.
pub(in super::super) async fn write<'a>(
    managers: impl Iterator<Item = &'a Consensus<Table>> + Clone,
    command: Command,
) -> (u64, Reply) {
    let attempt = async {
        loop {
            for manager in managers.clone() {
                match manager.propose(command.clone()).await {
                    Ok(written) => return written,
                    Err(
                        ProposeError::NotLeader { .. }
                        | ProposeError::NoQuorum { .. }
                        | ProposeError::Stopped
                        | ProposeError::Storage(_),
                    ) => {}
                    Err(error @ ProposeError::Unwritable { .. }) => panic!("{error}"),
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, attempt)
        .await
        .expect("nobody takes a write")
}

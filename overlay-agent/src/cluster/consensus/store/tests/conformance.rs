//! The store against openraft's own tests.

use std::sync::Arc;

use openraft::testing::{StoreBuilder, Suite};

use crate::{
    cluster::consensus::{
        store::{LogStore, Machine, MachineStore, testing::Disk},
        tests::table::Table,
        types::{StorageError, TypeConfig},
    },
    model::NodeId,
};

struct OnDisk;

impl StoreBuilder<TypeConfig, LogStore, MachineStore<Table>> for OnDisk {
    async fn build(&self) -> Result<((), LogStore, MachineStore<Table>), StorageError> {
        let id = NodeId::from_random(0);
        let store = Arc::new(Disk::formatted(id, 1).open(id).unwrap());
        let machine = Arc::new(Machine::load(&store).unwrap());
        let log = LogStore::new(Arc::clone(&store));
        Ok(((), log, MachineStore::new(machine, store)))
    }
}

#[test]
fn openraft_finds_nothing_wrong() {
    Suite::test_all(OnDisk).unwrap();
}

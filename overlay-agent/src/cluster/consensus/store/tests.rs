//! The store against openraft's own tests.

use openraft::testing::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::*;
use crate::{
    cluster::consensus::{
        tests::table::Table,
        types::{StorageError, TypeConfig},
    },
    model::NodeId,
};

struct InDirectory;

impl StoreBuilder<TypeConfig, LogStore, MachineStore<Table>, TempDir> for InDirectory {
    async fn build(&self) -> Result<(TempDir, LogStore, MachineStore<Table>), StorageError> {
        let directory = tempfile::tempdir().unwrap();
        let medium = FileMedium::new(directory.path());
        let store = std::sync::Arc::new(Store::create(medium, NodeId::from_random(0), 1).unwrap());
        let machine = std::sync::Arc::new(Machine::load(&store).unwrap());
        let log = LogStore::new(store.clone());
        Ok((directory, log, MachineStore::new(machine, store)))
    }
}

#[test]
fn openraft_finds_nothing_wrong_with_the_store() {
    Suite::test_all(InDirectory).unwrap();
}

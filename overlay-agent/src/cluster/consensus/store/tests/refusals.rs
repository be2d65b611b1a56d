//! Files that a manager does not take.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use redb::ReadableDatabase;
use tempfile::TempDir;

use crate::{
    cluster::consensus::{
        StoreError,
        store::{FileMedium, Store, database::builder, tables},
    },
    model::NodeId,
};

const ID: NodeId = NodeId::from_random(7);

fn create(directory: &Path) -> Result<Store, StoreError> {
    Store::create(FileMedium::new(directory), ID, 1)
}

fn open(directory: &Path) -> Result<Store, StoreError> {
    Store::open(FileMedium::new(directory), ID)
}

fn made() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    create(directory.path()).unwrap();
    directory
}

#[test]
fn a_new_file_is_its_owners_alone() {
    let directory = made();
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();

    assert_eq!(names, ["managers.redb"]);
    let metadata = fs::metadata(directory.path().join("managers.redb")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    open(directory.path()).unwrap();
}

#[test]
fn a_file_that_got_no_further_is_taken_and_any_other_is_not() {
    let directory = made();
    let store = create(directory.path()).unwrap();
    store
        .write(|transaction| {
            let mut table = transaction.open_table(tables::META)?;
            table.insert("vote", &b"x"[..])?;
            Ok(())
        })
        .unwrap();
    drop(store);

    let refused = create(directory.path()).err().unwrap();

    assert!(matches!(refused, StoreError::Exists { .. }), "{refused}");
}

#[test]
fn an_unfinished_file_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("managers.new"), "cut").unwrap();
    let refused = open(directory.path()).err().unwrap();
    assert!(matches!(refused, StoreError::Missing { .. }), "{refused}");

    create(directory.path()).unwrap();
}

#[test]
fn a_file_in_use_or_of_another_node_is_refused() {
    let directory = made();
    let first = open(directory.path()).unwrap();
    let refused = open(directory.path()).err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    drop(first);

    let other = NodeId::from_random(8);
    let refused = Store::open(FileMedium::new(directory.path()), other)
        .err()
        .unwrap();

    assert!(
        matches!(refused, StoreError::Foreign { owner, .. } if owner == ID),
        "{refused}"
    );
}

#[test]
fn another_format_is_refused_with_the_way_out() {
    let directory = made();
    let database = builder()
        .open(directory.path().join("managers.redb"))
        .unwrap();
    let transaction = database.begin_write().unwrap();
    let newer = (tables::FORMAT + 1).to_le_bytes();
    transaction
        .open_table(tables::META)
        .unwrap()
        .insert(tables::meta::FORMAT, newer.as_slice())
        .unwrap();
    transaction.commit().unwrap();
    drop(database);

    let refused = open(directory.path()).err().unwrap();

    assert!(
        refused
            .to_string()
            .contains("has format 2, and this version reads 1"),
        "{refused}"
    );
}

#[test]
fn what_is_no_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("managers.redb");
    for text in [&b""[..], b"text", &vec![0; 100_000], &[0xff; 5000]] {
        fs::write(&path, text).unwrap();

        let refused = open(directory.path()).err().unwrap();

        assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains("managers.redb"), "{refused}");
    }
    let empty = redb::Database::create(directory.path().join("other")).unwrap();
    empty.begin_read().unwrap();
    drop(empty);
    fs::rename(directory.path().join("other"), &path).unwrap();
    let refused = open(directory.path()).err().unwrap();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}

//! In which order changes are made, so that no entry ever names something that is not there.

use super::{
    Change, Table, Tables,
    diff::{unwanted, wanted},
};

/// Tables whose entries name peers, interfaces or networks, in the order in which they are cleared.
const REFERRING: [Table; 10] = [
    Table::Namespace,
    Table::Node,
    Table::Transit,
    Table::Vip,
    Table::Port,
    Table::OwnAddress,
    Table::Endpoint,
    Table::Interface,
    Table::Block,
    Table::Route,
];

/// Tables whose entries are named by others, in the order in which they are cleared.
const REFERRED: [Table; 5] = [
    Table::Ring,
    Table::Backend,
    Table::Network,
    Table::PeerAddress,
    Table::Peer,
];

/// Every change that turns `actual` into `desired`, in a safe order.
///
/// First go entries that name others, which also makes room; then everything wanted is written, what
/// is named before what names it; last go entries that nothing names any more. A route that moves to
/// another peer is overwritten in between, while both peers are there.
pub fn changes<'a>(actual: &'a Tables, desired: &'a Tables) -> impl Iterator<Item = Change> + 'a {
    let remove = move |table: Table| unwanted(actual, desired, table).map(Change::Remove);
    let put = move |table: Table| wanted(actual, desired, table).map(Change::Put);
    let before = REFERRING.into_iter().flat_map(remove);
    let during = Table::ALL.into_iter().flat_map(put);
    let after = REFERRED.into_iter().flat_map(remove);
    before.chain(during).chain(after)
}

/// Where a change belongs among others, for changes that come from elsewhere than [`changes`].
pub(super) fn rank(change: &Change) -> usize {
    match change {
        Change::Remove(key) => {
            let table = key.table();
            let position = |tables: &[Table]| tables.iter().position(|other| *other == table);
            position(&REFERRING)
                .or_else(|| position(&REFERRED).map(|at| REFERRING.len() + Table::ALL.len() + at))
                .unwrap_or_default()
        }
        Change::Put(row) => {
            let table = row.key().table();
            let at = Table::ALL.iter().position(|other| *other == table);
            REFERRING.len() + at.unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_cleared_exactly_once() {
        let mut cleared: Vec<Table> = REFERRING.into_iter().chain(REFERRED).collect();
        cleared.sort();

        assert_eq!(cleared, Table::ALL);
    }
}

//! Desired minus actual, as two set differences.

use super::{Key, Row, Table, Tables};

/// Entries of a table that are wanted and missing or different.
pub(super) fn wanted<'a>(
    actual: &'a Tables,
    desired: &'a Tables,
    table: Table,
) -> impl Iterator<Item = Row> + 'a {
    let rows = (!actual.shares(desired, table)).then(|| desired.rows(table));
    let is_wanted = |row: &Row| actual.get(&row.key()).as_ref() != Some(row);
    rows.into_iter().flatten().filter(is_wanted)
}

/// Keys of a table's entries that nobody wants.
pub(super) fn unwanted<'a>(
    actual: &'a Tables,
    desired: &'a Tables,
    table: Table,
) -> impl Iterator<Item = Key> + 'a {
    let rows = (!actual.shares(desired, table)).then(|| actual.rows(table));
    let keys = rows.into_iter().flatten().map(|row| row.key());
    keys.filter(|key| desired.get(key).is_none())
}

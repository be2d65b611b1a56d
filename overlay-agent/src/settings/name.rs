//! Names of nodes, networks and endpoints.

use std::collections::BTreeMap;

use super::problem::{Problem, Refusal};
use crate::model::is_name;

/// Refuses a name of a node, network or endpoint that would not survive a URL, a file name or a line
/// of /etc/hosts.
///
/// # Errors
/// What a name is.
pub fn check_name(name: &str) -> Result<(), Problem> {
    if is_name(name) {
        Ok(())
    } else {
        Err(Problem::Name {
            name: name.to_owned(),
        })
    }
}

/// Refuses bad names and duplicates; `list` is the key of the list they stand in.
pub(super) fn check_all<'a>(
    list: &str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), Refusal> {
    let mut seen = BTreeMap::new();
    for (index, name) in names.enumerate() {
        let key = || format!("{list}[{index}].name");
        check_name(name).map_err(|problem| problem.at_key(key()))?;
        if seen.insert(name, index).is_some() {
            let name = name.to_owned();
            return Err(Problem::NameTwice { name }.at_key(key()));
        }
    }
    Ok(())
}

//! Names of nodes, networks and endpoints.

const LONGEST: usize = 64;

/// Whether a name of a node, network or endpoint would survive a URL, a file name and a line of
/// /etc/hosts: 1 to 64 letters, digits, `-`, `_` and `.`, first a letter or digit.
pub fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    let starts_well = first.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    starts_well && name.chars().all(is_plain) && name.len() <= LONGEST
}

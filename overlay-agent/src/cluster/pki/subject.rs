//! The names in certificates.

use rcgen::{DistinguishedName, DnType};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::model::{ClusterId, NodeId, Role};

/// OU of a role.
pub(super) fn unit(role: Role) -> &'static str {
    match role {
        Role::Worker => "overlay-worker",
        Role::Manager => "overlay-manager",
    }
}

/// The role of an OU.
pub(super) fn role(unit: &str) -> Option<Role> {
    [Role::Worker, Role::Manager]
        .into_iter()
        .find(|role| self::unit(*role) == unit)
}

/// The subject of a node.
pub(super) fn node(node: NodeId, role: Role, cluster: ClusterId) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, cluster.to_string());
    name.push(DnType::OrganizationalUnitName, unit(role));
    name.push(DnType::CommonName, node.to_string());
    name
}

/// The subject of a root. Two roots of one cluster differ in their keys, and so in their names.
pub(super) fn root(cluster: ClusterId, key: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, cluster.to_string());
    name.push(DnType::CommonName, format!("overlay-ca-{key}"));
    name
}

/// O, OU and CN where each is there once at most.
pub(super) struct Parts<'a> {
    pub(super) organization: Option<&'a str>,
    pub(super) unit: Option<&'a str>,
    pub(super) common_name: Option<&'a str>,
}

/// The parts of a name.
pub(super) fn parts<'a>(name: &'a X509Name<'_>) -> Parts<'a> {
    Parts {
        organization: only(name.iter_organization()),
        unit: only(name.iter_organizational_unit()),
        common_name: only(name.iter_common_name()),
    }
}

/// With two values it depends on the reader which one counts, so neither does.
fn only<'a>(mut values: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> Option<&'a str> {
    match (values.next(), values.next()) {
        (Some(value), None) => value.as_str().ok(),
        _ => None,
    }
}

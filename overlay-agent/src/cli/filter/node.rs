//! Filters of `node ls`.

use std::str::FromStr;

use super::{LabelTerm, Term, split, unknown};
use crate::{api::types::NodeInfo, model::Role};

const KEYS: &str = "id, name, label, membership and role";

/// What a node must be like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) enum NodeTerm {
    /// The beginning of its identifier.
    Id(String),
    /// The beginning of its host name.
    Name(String),
    Label(LabelTerm),
    /// Every node is accepted: none waits for somebody to let it in.
    IsAccepted(bool),
    Role(Role),
}

impl FromStr for NodeTerm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = split(text, KEYS)?;
        match key {
            "id" => Ok(Self::Id(value.to_owned())),
            "name" => Ok(Self::Name(value.to_owned())),
            "label" | "node.label" => Ok(Self::Label(LabelTerm::parse(value))),
            "membership" => match value {
                "accepted" => Ok(Self::IsAccepted(true)),
                "pending" => Ok(Self::IsAccepted(false)),
                _ => Err(format!("`{value}` is neither accepted nor pending")),
            },
            "role" => match value {
                "worker" => Ok(Self::Role(Role::Worker)),
                "manager" => Ok(Self::Role(Role::Manager)),
                _ => Err(format!("`{value}` is neither worker nor manager")),
            },
            _ => Err(unknown(key, KEYS)),
        }
    }
}

impl Term for NodeTerm {
    type Object = NodeInfo;

    fn matches(&self, node: &NodeInfo) -> bool {
        match self {
            Self::Id(id) => node.id.to_string().starts_with(id),
            Self::Name(name) => node.description.hostname.starts_with(name),
            Self::Label(label) => label.matches(&node.spec.labels),
            Self::IsAccepted(is_accepted) => *is_accepted,
            Self::Role(role) => node.spec.role == *role,
        }
    }

    fn narrows(&self) -> bool {
        matches!(self, Self::Label(_))
    }
}

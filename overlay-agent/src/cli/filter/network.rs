//! Filters of `network ls`.

use std::str::FromStr;

use super::{LabelTerm, Term, split, unknown};
use crate::api::types::{NetworkInfo, NetworkScope};

const KEYS: &str = "id, name, label, driver and scope";

/// What a network must be like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) enum NetworkTerm {
    /// A part of its identifier.
    Id(String),
    /// A part of its name.
    Name(String),
    Label(LabelTerm),
    Driver(String),
    Scope(NetworkScope),
}

impl FromStr for NetworkTerm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = split(text, KEYS)?;
        match key {
            "id" => Ok(Self::Id(value.to_owned())),
            "name" => Ok(Self::Name(value.to_owned())),
            "label" => Ok(Self::Label(LabelTerm::parse(value))),
            "driver" => Ok(Self::Driver(value.to_owned())),
            "scope" => match value {
                "swarm" => Ok(Self::Scope(NetworkScope::Swarm)),
                "local" => Ok(Self::Scope(NetworkScope::Local)),
                _ => Err(format!("`{value}` is neither swarm nor local")),
            },
            _ => Err(unknown(key, KEYS)),
        }
    }
}

impl Term for NetworkTerm {
    type Object = NetworkInfo;

    fn matches(&self, network: &NetworkInfo) -> bool {
        match self {
            Self::Id(part) => {
                let id = network.id.map(|id| id.to_string());
                id.is_some_and(|id| id.contains(part))
            }
            Self::Name(part) => network.name.contains(part),
            Self::Label(label) => label.matches(&network.labels),
            Self::Driver(driver) => network.driver == *driver,
            Self::Scope(scope) => network.scope == *scope,
        }
    }

    fn narrows(&self) -> bool {
        matches!(self, Self::Label(_))
    }
}

//! Filters of `service ls`.

use std::str::FromStr;

use super::{LabelTerm, Term, split, unknown};
use crate::{api::types::ServiceInfo, model::EndpointMode};

const KEYS: &str = "id, name, label and mode";

/// What a service must be like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) enum ServiceTerm {
    /// The beginning of its identifier.
    Id(String),
    /// The beginning of its name.
    Name(String),
    Label(LabelTerm),
    Mode(EndpointMode),
}

impl FromStr for ServiceTerm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = split(text, KEYS)?;
        match key {
            "id" => Ok(Self::Id(value.to_owned())),
            "name" => Ok(Self::Name(value.to_owned())),
            "label" => Ok(Self::Label(LabelTerm::parse(value))),
            "mode" => match value {
                "vip" => Ok(Self::Mode(EndpointMode::Vip)),
                "dnsrr" => Ok(Self::Mode(EndpointMode::Dnsrr)),
                _ => Err(format!("`{value}` is neither vip nor dnsrr")),
            },
            _ => Err(unknown(key, KEYS)),
        }
    }
}

impl Term for ServiceTerm {
    type Object = ServiceInfo;

    fn matches(&self, service: &ServiceInfo) -> bool {
        match self {
            Self::Id(id) => service.id.to_string().starts_with(id),
            Self::Name(name) => service.spec.name.starts_with(name),
            Self::Label(label) => label.matches(&service.spec.labels),
            Self::Mode(mode) => service.endpoint.spec.mode == *mode,
        }
    }

    fn narrows(&self) -> bool {
        matches!(self, Self::Label(_))
    }
}

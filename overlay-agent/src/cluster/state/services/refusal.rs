//! Why a service was refused, and the way out.

use serde::{Deserialize, Serialize};

use super::super::RefusalKind;
use crate::model::{Protocol, PublishMode, ServiceId};

/// What is wrong with what was asked of a service, in Docker's words where it has some.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum ServiceRefusal {
    /// A service that is not there.
    #[error("service {service} not found")]
    NotFound {
        /// What was given.
        service: String,
    },
    /// Part of an identifier that several services have.
    #[error("service {service} is ambiguous ({count} matches found)")]
    Ambiguous {
        /// What was given.
        service: String,
        /// How many services have it.
        count: usize,
    },
    /// A name that no service can have.
    #[error("service `{name}`: {problem}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A name that another service has.
    #[error("name conflicts with an existing object: service {name} already exists")]
    Exists {
        /// What was given.
        name: String,
    },
    /// An identifier that another service has.
    #[error("service identifier {id} is in use by service {other}")]
    IdTaken {
        /// What was given.
        id: ServiceId,
        /// The other service's name.
        other: String,
    },
    /// A label that is not there.
    #[error("label `{label}` does not exist in the labels of service {service}")]
    NoLabel {
        /// Which service.
        service: String,
        /// What was given.
        label: String,
    },
    /// An option that makes no sense.
    #[error("option {option}={value}: {problem}")]
    Option {
        /// Its name.
        option: String,
        /// What was given.
        value: String,
        /// What is wrong.
        problem: String,
    },
    /// A health check that makes no sense.
    #[error("health check: {problem}")]
    HealthCheck {
        /// What is wrong.
        problem: String,
    },
    /// The ingress network, asked for by name.
    #[error(
        "Service cannot be explicitly attached to the ingress network {network:?} which is a swarm \
         internal network"
    )]
    IngressByHand {
        /// Its name.
        network: String,
    },
    /// No ingress network.
    #[error("service needs ingress network, but no ingress network is present")]
    NoIngress,
    /// A network that a service is on already, or that was named twice.
    #[error("service is already attached to network {network}")]
    NetworkTwice {
        /// Its name.
        network: String,
    },
    /// A network that a service is not on.
    #[error("service {service} is not attached to network {network}")]
    NotOnNetwork {
        /// Which service.
        service: String,
        /// The network's name.
        network: String,
    },
    /// No port.
    #[error("invalid port: 0")]
    PortZero,
    /// A port that nodes need themselves.
    #[error(
        "port {port} cannot be published: nodes use 61000 to 65535 for connections of containers to the \
         outside"
    )]
    PortMasqueraded {
        /// What was given.
        port: u16,
    },
    /// Two ports of one service at which a node could not answer both.
    #[error("EndpointSpec: duplicate published ports provided: {port}/{protocol}")]
    PortTwice {
        /// Of the nodes.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
    },
    /// A port of all nodes for a service without a virtual address.
    #[error(
        "EndpointSpec: port published with ingress mode can't be used with dnsrr mode: \
         {port}/{protocol}"
    )]
    PortWithDnsrr {
        /// Of the nodes.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
    },
    /// A port that another service has.
    #[error(
        "port '{port}/{protocol}' is already in use by service '{service}' ({id}) as {}",
        as_published(*mode)
    )]
    PortInUse {
        /// What was given.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
        /// The other service's name.
        service: String,
        /// Its identifier.
        id: ServiceId,
        /// How that one publishes it.
        mode: PublishMode,
    },
    /// All ports that nobody chose are in use.
    #[error("all published ports from 30000 to 32767 are in use ({protocol})")]
    NoPortLeft {
        /// The protocol.
        protocol: Protocol,
    },
    /// A port that is not published.
    #[error("service {service} does not publish port {port}/{protocol} of its tasks in that mode")]
    NotPublished {
        /// Which service.
        service: String,
        /// The tasks' port.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
    },
}

impl ServiceRefusal {
    /// What kind of refusal it is.
    pub(in super::super) fn kind(&self) -> RefusalKind {
        use RefusalKind::{BadRequest, Conflict, NotFound};
        match self {
            Self::Ambiguous { .. }
            | Self::Name { .. }
            | Self::Option { .. }
            | Self::HealthCheck { .. }
            | Self::IngressByHand { .. }
            | Self::PortZero
            | Self::PortMasqueraded { .. }
            | Self::PortTwice { .. }
            | Self::PortWithDnsrr { .. } => BadRequest,
            Self::NotFound { .. }
            | Self::NoLabel { .. }
            | Self::NotOnNetwork { .. }
            | Self::NotPublished { .. } => NotFound,
            Self::Exists { .. }
            | Self::IdTaken { .. }
            | Self::NoIngress
            | Self::NetworkTwice { .. }
            | Self::PortInUse { .. }
            | Self::NoPortLeft { .. } => Conflict,
        }
    }

    /// What to do.
    pub(in super::super) fn help(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "see `overlay service ls` for the services there are",
            Self::Ambiguous { .. } => {
                "use the name or the whole ID, which `overlay service ls --no-trunc` shows"
            }
            Self::Name { .. } => {
                "use 1 to 63 letters, digits and `-` inside, first and last a letter or digit"
            }
            Self::Exists { .. } => "choose another name, or remove that service first",
            Self::IdTaken { .. } => "try again with a new one",
            Self::NoLabel { .. } => "see `overlay service inspect` for its labels",
            Self::Option { .. } => "there is `dsr`: nodes of tasks answer clients themselves",
            Self::HealthCheck { .. } => {
                "use --health-tcp PORT or --health-http PORT/PATH, with --health-interval, \
                 --health-timeout and --health-retries"
            }
            Self::IngressByHand { .. } => {
                "leave --network out to put a service on it, or name another network"
            }
            Self::NoIngress => {
                "make one with `overlay network create --ingress ingress`, or give the service a \
                 --network and publish in mode=host"
            }
            Self::NetworkTwice { .. } => "name each network once",
            Self::NotOnNetwork { .. } | Self::NotPublished { .. } => {
                "see `overlay service inspect` for what it has"
            }
            Self::PortZero => "choose one from 1 to 60999",
            Self::PortMasqueraded { .. } => "choose one below",
            Self::PortTwice { .. } => "publish each port once for each protocol",
            Self::PortWithDnsrr { .. } => {
                "use --endpoint-mode vip, or publish the port with mode=host"
            }
            Self::PortInUse { .. } => "choose another port, or leave it out to get a free one",
            Self::NoPortLeft { .. } => "choose one yourself, like 8080:80",
        }
    }
}

fn as_published(mode: PublishMode) -> &'static str {
    match mode {
        PublishMode::Ingress => "an ingress port",
        PublishMode::Host => "a host-published port",
    }
}

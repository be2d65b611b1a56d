//! `overlay swarm …` as it may be typed.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::{
    api::types::{AddressError, HostAddress, HostPort, JoinToken, parse_port},
    model::{Availability, Role},
    settings::parse_duration,
};

/// Where managers listen when nobody says otherwise.
const PORT: u16 = 2377;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SwarmVerb {
    /// Make a swarm with this node as its first manager
    Init(InitArguments),
    /// Join a swarm; the token decides whether as worker or manager
    Join(JoinArguments),
    /// Leave the swarm
    Leave {
        /// Leave even if the swarm loses its last manager or its majority
        #[arg(short, long)]
        force: bool,
    },
    /// Show how nodes join this swarm
    JoinToken {
        /// As what
        role: RoleArgument,
        /// Make a new token; the old one is worth nothing from now on
        #[arg(long)]
        rotate: bool,
        /// Print the token alone
        #[arg(short, long)]
        quiet: bool,
    },
    /// Show the root certificate of this swarm
    Ca {
        /// Replace it, and the certificate of every node
        #[arg(long)]
        rotate: bool,
    },
    /// Show the generations of the keys that protect the gossip and encrypted networks, not the keys
    Keys {
        /// Change to a new key
        #[arg(long)]
        rotate: bool,
    },
    /// Change settings of the swarm
    #[command(arg_required_else_help = true)]
    Update {
        /// How long certificates of nodes are valid, like 2160h
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        cert_expiry: Option<Duration>,
        /// Time between changes of the gossip's key, like 12h
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        key_rotation: Option<Duration>,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddressesArguments {
    /// Where others find this node: an address or an interface, and a port
    #[arg(long, value_name = "ADDRESS|INTERFACE[:PORT]")]
    pub(in crate::cli) advertise_addr: Option<HostPort>,
    /// Where its managers' service listens [default: 0.0.0.0:2377]
    #[arg(long, value_name = "ADDRESS|INTERFACE[:PORT]")]
    pub(in crate::cli) listen_addr: Option<HostPort>,
    /// Where containers' packets leave and arrive [default: the advertised address]
    #[arg(long, value_name = "ADDRESS|INTERFACE")]
    pub(in crate::cli) data_path_addr: Option<HostAddress>,
    /// What this node is wanted for
    #[arg(long, value_name = "AVAILABILITY", default_value = "active")]
    pub(in crate::cli) availability: AvailabilityArgument,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArguments {
    #[command(flatten)]
    pub(in crate::cli) addresses: AddressesArguments,
    /// UDP port of containers' packets, 1024 to 49151 [default: 4789]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..=49151))]
    pub(in crate::cli) data_path_port: Option<u16>,
    /// UDP and TCP port of the nodes' gossip [default: 7946]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) gossip_port: Option<u16>,
    /// Where networks get their subnets from; again for more [default: 10.0.0.0/8 and a
    /// unique local /48]
    #[arg(long, value_name = "SUBNET")]
    pub(in crate::cli) default_addr_pool: Vec<IpNet>,
    /// Prefix length of those subnets [default: 24, and 64 of IPv6]
    #[arg(long, value_name = "LENGTH", value_parser = clap::value_parser!(u8).range(1..=126))]
    pub(in crate::cli) default_addr_pool_mask_length: Option<u8>,
    /// Go on with this manager alone, when the others are lost for ever
    #[arg(long)]
    pub(in crate::cli) force_new_cluster: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct JoinArguments {
    /// The token that `overlay swarm join-token` shows
    #[arg(long, value_name = "TOKEN")]
    pub(in crate::cli) token: JoinToken,
    #[command(flatten)]
    pub(in crate::cli) addresses: AddressesArguments,
    /// UDP and TCP port of this node's gossip [default: 7946]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) gossip_port: Option<u16>,
    /// A manager of the swarm; without a port 2377 is meant
    #[arg(value_name = "HOST:PORT", value_parser = remote)]
    pub(in crate::cli) remote: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum RoleArgument {
    Worker,
    Manager,
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Worker => Self::Worker,
            RoleArgument::Manager => Self::Manager,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum AvailabilityArgument {
    Active,
    Pause,
    Drain,
}

impl From<AvailabilityArgument> for Availability {
    fn from(availability: AvailabilityArgument) -> Self {
        match availability {
            AvailabilityArgument::Active => Self::Active,
            AvailabilityArgument::Pause => Self::Pause,
            AvailabilityArgument::Drain => Self::Drain,
        }
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let read = parse_duration(text);
    read.ok_or_else(|| "this is no duration; write one like 90m, 12h or 1h30m".to_owned())
}

/// A manager's address or host name, with its port.
fn remote(text: &str) -> Result<String, AddressError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, PORT).to_string());
    }
    if let Ok(socket) = text.parse::<SocketAddr>()
        && socket.port() != 0
    {
        return Ok(socket.to_string());
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, parse_port(port)?),
        None => (text, PORT),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() || !host.chars().all(is_plain) {
        return Err(AddressError::Remote {
            text: text.to_owned(),
        });
    }
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managers_get_their_port() {
        for (text, with_port) in [
            ("192.0.2.1", "192.0.2.1:2377"),
            ("192.0.2.1:9", "192.0.2.1:9"),
            ("2001:db8::1", "[2001:db8::1]:2377"),
            ("[2001:db8::1]:9", "[2001:db8::1]:9"),
            ("manager.example", "manager.example:2377"),
            ("manager:9", "manager:9"),
        ] {
            assert_eq!(remote(text).as_deref(), Ok(with_port));
        }
    }

    #[test]
    fn what_names_no_manager_is_refused() {
        for text in [
            "",
            ":2377",
            "a:",
            "a:0",
            "a:b",
            "a b",
            "http://a",
            "[::1]",
            "1.2.3.4:0",
        ] {
            assert!(remote(text).is_err(), "{text}");
        }
    }
}

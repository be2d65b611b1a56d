//! What `overlay swarm …` asks for.

use std::time::Duration;

use super::invalid;
use crate::{
    api::types::{Addresses, SwarmInit, SwarmJoin, SwarmLeave, SwarmUpdate},
    cli::arguments::swarm::{AddressesArguments, InitArguments, JoinArguments, SwarmVerb},
    model::{Availability, Role},
};

#[derive(Debug)]
pub(in crate::cli) enum SwarmQuestion {
    Init(SwarmInit),
    Join(SwarmJoin),
    Leave(SwarmLeave),
    JoinToken {
        role: Role,
        rotate: bool,
        is_quiet: bool,
    },
    Ca {
        rotate: bool,
    },
    Keys {
        rotate: bool,
    },
    Update(SwarmUpdate),
}

pub(super) fn swarm(verb: SwarmVerb) -> Result<SwarmQuestion, clap::Error> {
    Ok(match verb {
        SwarmVerb::Init(typed) => init(typed),
        SwarmVerb::Join(typed) => join(typed),
        SwarmVerb::Leave { force } => SwarmQuestion::Leave(SwarmLeave { force }),
        SwarmVerb::JoinToken {
            role,
            rotate,
            quiet,
        } => SwarmQuestion::JoinToken {
            role: role.into(),
            rotate,
            is_quiet: quiet,
        },
        SwarmVerb::Ca { rotate } => SwarmQuestion::Ca { rotate },
        SwarmVerb::Keys { rotate } => SwarmQuestion::Keys { rotate },
        SwarmVerb::Update {
            cert_expiry,
            key_rotation,
        } => SwarmQuestion::Update(SwarmUpdate {
            cert_expiry_s: at_least(
                "--cert-expiry",
                cert_expiry,
                SwarmUpdate::LEAST_CERT_EXPIRY_S,
            )?,
            key_rotation_s: at_least(
                "--key-rotation",
                key_rotation,
                SwarmUpdate::LEAST_KEY_ROTATION_S,
            )?,
        }),
    })
}

fn init(typed: InitArguments) -> SwarmQuestion {
    let (addresses, availability) = addresses(typed.addresses);
    SwarmQuestion::Init(SwarmInit {
        addresses,
        data_path_port: typed.data_path_port,
        gossip_port: typed.gossip_port,
        address_pools: typed.default_addr_pool,
        pool_mask_length: typed.default_addr_pool_mask_length,
        force_new_cluster: typed.force_new_cluster,
        availability,
    })
}

fn join(typed: JoinArguments) -> SwarmQuestion {
    let (addresses, availability) = addresses(typed.addresses);
    SwarmQuestion::Join(SwarmJoin {
        token: typed.token,
        remote: typed.remote,
        addresses,
        gossip_port: typed.gossip_port,
        availability,
    })
}

fn addresses(typed: AddressesArguments) -> (Addresses, Availability) {
    let addresses = Addresses {
        advertise: typed.advertise_addr,
        listen: typed.listen_addr,
        data_path: typed.data_path_addr,
    };
    (addresses, typed.availability.into())
}

/// Whole seconds, or a refusal.
fn at_least(
    option: &str,
    duration: Option<Duration>,
    least_s: u64,
) -> Result<Option<u64>, clap::Error> {
    let seconds = duration.map(|duration| duration.as_secs());
    match seconds {
        Some(seconds) if seconds < least_s => {
            let message = format!("{option} is too short; give {least_s}s or more");
            Err(invalid(&["swarm", "update"], message))
        }
        Some(_) | None => Ok(seconds),
    }
}

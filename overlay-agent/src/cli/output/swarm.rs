//! The cluster as a whole, in Docker's words.

use super::{quantity, table, time};
use crate::{
    api::types::{GossipKeys, JoinWay, SwarmInitialized, SwarmJoined},
    model::Role,
};

pub(in crate::cli) fn swarm_initialized(made: &SwarmInitialized) -> String {
    let id = made.node_id;
    let command = command(Role::Worker, made.worker_token.reveal(), &made.address);
    format!(
        "Swarm initialized: current node ({id}) is now a manager.\n\n{command}\nTo add a manager to \
         this swarm, run 'overlay swarm join-token manager' and follow the instructions.\n"
    )
}

pub(in crate::cli) fn swarm_joined(joined: &SwarmJoined) -> String {
    format!("This node joined a swarm as a {}.\n", joined.role)
}

/// How nodes get in; `rotated` says that the token is new.
pub(in crate::cli) fn join_way(way: &JoinWay, rotated: bool) -> String {
    let role = way.role;
    let command = command(role, way.token.reveal(), &way.address);
    if rotated {
        format!("Successfully rotated {role} join token.\n\n{command}")
    } else {
        command
    }
}

fn command(role: Role, token: &str, address: &impl ToString) -> String {
    let address = address.to_string();
    format!(
        "To add a {role} to this swarm, run the following command:\n\n    overlay swarm join --token \
         {token} {address}\n"
    )
}

pub(in crate::cli) fn gossip_keys(keys: &GossipKeys) -> String {
    let rows = keys.accepted.iter().map(|number| {
        let used = if *number == keys.primary {
            "sends and receives"
        } else {
            "receives"
        };
        vec![number.to_string(), used.to_owned()]
    });
    format!(
        "{}\nrotated {}, every {}\n",
        table(["GENERATION", "USE"], rows),
        time::seconds(keys.rotated),
        quantity::duration(keys.period_s)
    )
}

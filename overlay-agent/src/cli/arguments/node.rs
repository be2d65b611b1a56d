//! `overlay node …` as it may be typed.

use clap::{Args, Subcommand};

use super::swarm::{AvailabilityArgument, RoleArgument};
use crate::cli::{filter::NodeTerm, pair::Pair};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NodeVerb {
    /// List the nodes of the swarm
    #[command(visible_alias = "list")]
    Ls {
        /// Only those that are so: role=worker|manager, name=, id=, label=, membership=
        #[arg(short, long, value_name = "KEY=VALUE")]
        filter: Vec<NodeTerm>,
        /// Print identifiers alone
        #[arg(short, long)]
        quiet: bool,
    },
    /// Show all that is known of some nodes, as JSON
    Inspect {
        /// Print it for people
        #[arg(long)]
        pretty: bool,
        /// Host names, identifiers or their beginnings, or `self`
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<String>,
    },
    /// List the endpoints of nodes
    Ps {
        /// Print identifiers in full
        #[arg(long)]
        no_trunc: bool,
        /// Print identifiers alone
        #[arg(short, long)]
        quiet: bool,
        /// Host names or identifiers, or `self`
        #[arg(value_name = "NODE", default_value = "self")]
        nodes: Vec<String>,
    },
    /// Change a node
    Update(NodeUpdateArguments),
    /// Make managers of workers
    Promote {
        /// Host names or identifiers
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<String>,
    },
    /// Make workers of managers
    Demote {
        /// Host names or identifiers
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<String>,
    },
    /// Forget nodes; their certificates and keys are worth nothing from now on
    #[command(visible_alias = "remove")]
    Rm {
        /// Even if a node still answers
        #[arg(short, long)]
        force: bool,
        /// Host names or identifiers
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NodeUpdateArguments {
    /// What it is wanted for
    #[arg(long, value_name = "AVAILABILITY")]
    pub(in crate::cli) availability: Option<AvailabilityArgument>,
    /// What it does
    #[arg(long, value_name = "ROLE")]
    pub(in crate::cli) role: Option<RoleArgument>,
    /// Add a label, or change it; again for more
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) label_add: Vec<Pair>,
    /// Take a label away; again for more
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) label_rm: Vec<String>,
    /// Host name or identifier, or `self`
    #[arg(value_name = "NODE")]
    pub(in crate::cli) node: String,
}

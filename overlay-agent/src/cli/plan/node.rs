//! What `overlay node …` asks for.

use super::{List, invalid};
use crate::{
    api::types::{NodeRemove, NodeUpdate},
    cli::{
        arguments::node::{NodeUpdateArguments, NodeVerb},
        filter::{Filter, NodeTerm},
        pair,
    },
    model::Role,
};

#[derive(Debug)]
pub(in crate::cli) enum NodeQuestion {
    List(List, Filter<NodeTerm>),
    Inspect {
        nodes: Vec<String>,
        is_pretty: bool,
    },
    Endpoints {
        nodes: Vec<String>,
        list: List,
    },
    Update {
        node: String,
        request: NodeUpdate,
    },
    ChangeRole {
        nodes: Vec<String>,
        role: Role,
    },
    Remove {
        nodes: Vec<String>,
        request: NodeRemove,
    },
}

pub(super) fn node(verb: NodeVerb) -> Result<NodeQuestion, clap::Error> {
    Ok(match verb {
        NodeVerb::Ls { filter, quiet } => {
            NodeQuestion::List(List::new(quiet, true), Filter(filter))
        }
        NodeVerb::Inspect { nodes, pretty } => NodeQuestion::Inspect {
            nodes,
            is_pretty: pretty,
        },
        NodeVerb::Ps {
            no_trunc,
            quiet,
            nodes,
        } => NodeQuestion::Endpoints {
            nodes,
            list: List::new(quiet, no_trunc),
        },
        NodeVerb::Update(typed) => update(typed)?,
        NodeVerb::Promote { nodes } => NodeQuestion::ChangeRole {
            nodes,
            role: Role::Manager,
        },
        NodeVerb::Demote { nodes } => NodeQuestion::ChangeRole {
            nodes,
            role: Role::Worker,
        },
        NodeVerb::Rm { force, nodes } => NodeQuestion::Remove {
            nodes,
            request: NodeRemove { force },
        },
    })
}

fn update(typed: NodeUpdateArguments) -> Result<NodeQuestion, clap::Error> {
    let request = NodeUpdate {
        availability: typed.availability.map(Into::into),
        role: typed.role.map(Into::into),
        add_labels: pair::by_name(typed.label_add),
        remove_labels: typed.label_rm.into_iter().collect(),
    };
    if request == NodeUpdate::default() {
        let message = "nothing is to be changed; give --availability, --role, --label-add or \
                       --label-rm";
        return Err(invalid(&["node", "update"], message.to_owned()));
    }
    let node = typed.node;
    Ok(NodeQuestion::Update { node, request })
}

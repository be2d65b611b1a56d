//! Endpoints of any node.

use super::{Row, joined, short};
use crate::api::types::NodeEndpoint;

impl Row for NodeEndpoint {
    const HEADERS: &'static [&'static str] = &[
        "ENDPOINT ID",
        "NAME",
        "NETWORK",
        "ADDRESSES",
        "MAC ADDRESS",
        "NODE",
    ];

    fn cells(&self, in_full: bool) -> Vec<String> {
        vec![
            self.handle(in_full),
            self.name.clone(),
            self.network.clone(),
            joined(&self.addresses),
            self.mac.to_string(),
            self.node.clone(),
        ]
    }

    fn handle(&self, in_full: bool) -> String {
        short(&self.id, in_full)
    }
}

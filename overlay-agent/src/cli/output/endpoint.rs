//! Endpoints.

use super::{Row, joined, short};
use crate::api::types::{EndpointInfo, EndpointState};

impl Row for EndpointInfo {
    const HEADERS: &'static [&'static str] = &[
        "ENDPOINT ID",
        "NAME",
        "NETWORK",
        "IPV4",
        "IPV6",
        "MAC ADDRESS",
        "INTERFACE",
        "STATE",
    ];

    fn cells(&self, in_full: bool) -> Vec<String> {
        vec![
            self.handle(in_full),
            self.name.clone(),
            self.network.clone(),
            joined(self.ipv4),
            joined(self.ipv6),
            self.mac.to_string(),
            self.interface.clone(),
            state(self.state).to_owned(),
        ]
    }

    fn handle(&self, in_full: bool) -> String {
        short(&self.id, in_full)
    }
}

fn state(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Up => "up",
        EndpointState::Down => "down",
        EndpointState::Gone => "gone",
        EndpointState::Conflict => "conflict",
    }
}

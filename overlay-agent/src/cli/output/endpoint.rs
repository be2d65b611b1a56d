//! Endpoints.

use super::{Row, joined};
use crate::api::types::{EndpointInfo, EndpointState};

/// Digits of an identifier that Docker shows.
const SHORT: usize = 12;

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
        if in_full {
            self.id.clone()
        } else {
            self.id.chars().take(SHORT).collect()
        }
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

//! Consensus between managers, carried by the client of 2377.

use std::{net::SocketAddr, time::Duration};

use crate::{
    cluster::{
        client::Client,
        consensus::{Call, Transport, TransportError},
        service::RaftCall,
    },
    model::NodeId,
};

/// The longest that one call may take; consensus itself gives up much sooner on most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Carries messages of consensus.
#[derive(Clone, Debug)]
pub struct Link {
    client: Client,
}

impl Link {
    /// Over this client's connections.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Transport for Link {
    async fn send(
        &self,
        to: NodeId,
        address: SocketAddr,
        call: Call,
        request: Vec<u8>,
    ) -> Result<Vec<u8>, TransportError> {
        let call = match call {
            Call::Append => RaftCall::Append,
            Call::Vote => RaftCall::Vote,
            Call::Snapshot => RaftCall::Snapshot,
        };
        let answer = self.client.raft(address, call, request.into(), PATIENCE);
        match answer.await {
            Ok(answer) => Ok(answer.to_vec()),
            Err(error) => Err(TransportError {
                to,
                address,
                source: Box::new(error),
            }),
        }
    }
}

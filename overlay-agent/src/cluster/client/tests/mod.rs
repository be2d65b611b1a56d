//! The client against real managers on loopback.

mod asking;
mod joining;
mod watching;

use std::{net::SocketAddr, time::Duration};

use crate::{
    cluster::{
        client::{Backoff, Client, ClientError, Jitter, Join, NewNode, Timing, join},
        pki::{JoinToken, SecretKey, testing::clock},
        service::{
            Host,
            fake::{Cluster, FakeRequest},
            testing::{fixed, node},
        },
    },
    model::{Availability, RequestId, Role},
};

fn quick() -> Timing {
    Timing {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(2),
        patience: Duration::from_secs(3),
        silence: Duration::from_millis(500),
        backoff: Backoff {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(100),
        },
    }
}

/// Starts every round with the manager that is named first.
fn in_order() -> Jitter {
    Jitter::new(|| 0)
}

fn client(cluster: &Cluster, role: Role, managers: &[SocketAddr]) -> Client {
    let credentials = node(cluster, role);
    Client::new(fixed(credentials), managers.to_vec(), quick(), in_order())
}

fn lease() -> FakeRequest {
    FakeRequest::Lease("blue".to_owned())
}

fn id(number: u128) -> RequestId {
    RequestId::from_random(number)
}

fn host() -> Host {
    Host {
        hostname: "h1".to_owned(),
        data_path: "10.0.0.1".parse().unwrap(),
        gossip: "10.0.0.1:7946".parse().unwrap(),
        control: "10.0.0.1:2377".parse().unwrap(),
        availability: Availability::Active,
    }
}

async fn joins(token: &JoinToken, managers: &[SocketAddr]) -> Result<NewNode, ClientError> {
    let plan = Join {
        id: id(77),
        token: token.clone(),
        key: SecretKey::generate().unwrap(),
        host: host(),
    };
    join(plan, managers.to_vec(), clock(), quick(), in_order()).await
}

/// A port where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

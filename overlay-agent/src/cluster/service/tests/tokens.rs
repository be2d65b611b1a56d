//! Who gets in with which token.

use std::sync::Arc;

use rustls::ClientConfig;

use crate::{
    cluster::{
        pki::{JoinToken, SecretKey, testing::clock, tls::first_contact},
        service::{Counter, Joined, Limits, fake::Cluster, testing::Door},
    },
    model::Role,
};

fn anonymous(cluster: &Cluster) -> Arc<ClientConfig> {
    let digest = cluster.state().world.authority.digest();
    first_contact(digest, clock()).unwrap()
}

fn body(token: &str, csr: &str) -> String {
    serde_json::json!({
        "id": "0000000000000000000000001",
        "token": token,
        "csr": csr,
        "host": {
            "hostname": "h1",
            "data_path": "10.0.0.1",
            "gossip": "10.0.0.1:7946",
            "control": "10.0.0.1:2377",
        },
    })
    .to_string()
}

#[tokio::test]
async fn the_token_decides_what_a_host_becomes() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let stranger = anonymous(&cluster);
    let csr = SecretKey::generate().unwrap().request().unwrap();
    let token = cluster.state().tokens.worker.reveal();

    let (status, answer) = door
        .ask(&stranger, "POST /v1/join", &body(&token, &csr))
        .await;

    assert_eq!(status, 200, "{answer}");
    let joined: Joined = serde_json::from_str(&answer).unwrap();
    assert_eq!(cluster.state().roles[&joined.node], Role::Worker);
    assert_eq!(joined.managers, [door.address]);
    assert_eq!(door.counters.get(Counter::Joined), 1);
}

#[tokio::test]
async fn the_token_is_looked_at_before_anything_else() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let stranger = anonymous(&cluster);
    let digest = cluster.state().world.authority.digest();
    let right = cluster.state().tokens.worker.reveal();
    let wrong = JoinToken::from_random(digest, 99).reveal();
    let truncated = &right[..right.len() - 3];

    for (token, words) in [
        (wrong.as_str(), "it was rotated, or it is mistyped"),
        (truncated, "the secret has 22 of 25 digits"),
        ("", "no join token"),
        ("SWMTKN-3-x-y", "version `3`"),
    ] {
        let (status, refusal) = door
            .ask(
                &stranger,
                "POST /v1/join",
                &body(token, "no request at all"),
            )
            .await;
        assert_eq!(status, 401, "{refusal}");
        assert!(refusal.contains(words), "{refusal}");
        let rest = format!(r#"{{"token":"{token}","csr":7}}"#);
        let (status, _refusal) = door.ask(&stranger, "POST /v1/join", &rest).await;
        assert_eq!(status, 401);
    }
    assert_eq!(door.counters.get(Counter::TokenRefused), 8);

    let (status, refusal) = door
        .ask(
            &stranger,
            "POST /v1/join",
            &body(&right, "no request at all"),
        )
        .await;
    assert_eq!(status, 400, "{refusal}");
    assert!(refusal.contains("certificate request"), "{refusal}");
    let (status, _refusal) = door.ask(&stranger, "POST /v1/join", "{").await;
    assert_eq!(status, 400);
    assert_eq!(door.counters.get(Counter::Joined), 0);
}

#[tokio::test]
async fn a_rotated_token_opens_nothing_any_more() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let stranger = anonymous(&cluster);
    let csr = SecretKey::generate().unwrap().request().unwrap();
    let before = cluster.state().tokens.worker.clone();
    let digest = before.digest();

    cluster.state().tokens.worker = JoinToken::from_random(digest, 13);
    let old = body(&before.reveal(), &csr);
    assert_eq!(door.ask(&stranger, "POST /v1/join", &old).await.0, 401);

    // A new authority: the secret is the same, the digest is another one.
    let rotated = {
        let mut state = cluster.state();
        state.world.rotate();
        let digest = state.world.authority.digest();
        state.tokens.worker = state.tokens.worker.with_digest(digest);
        state.tokens.manager = state.tokens.manager.with_digest(digest);
        state.tokens.worker.clone()
    };
    let old = body(&rotated.with_digest(digest).reveal(), &csr);
    let (status, refusal) = door.ask(&stranger, "POST /v1/join", &old).await;
    assert_eq!(status, 401);
    assert!(refusal.contains("the CA was rotated since"), "{refusal}");
    let new = body(&rotated.reveal(), &csr);
    assert_eq!(door.ask(&stranger, "POST /v1/join", &new).await.0, 200);
    assert_eq!(door.counters.get(Counter::TokenRefused), 2);
}

/// It may not have heard of the latest tokens.
#[tokio::test]
async fn a_manager_that_does_not_lead_judges_no_token() {
    let cluster = Cluster::new();
    let leader = Door::open(&cluster, Limits::default()).await;
    let other = Door::open(&cluster, Limits::default()).await;
    let stranger = anonymous(&cluster);

    let (status, answer) = other.ask(&stranger, "POST /v1/join", &body("x", "y")).await;

    assert_eq!(status, 421);
    assert!(
        answer.contains(&format!("\"leader\":\"{}\"", leader.address)),
        "{answer}"
    );
    assert_eq!(other.counters.get(Counter::TokenRefused), 0);
}

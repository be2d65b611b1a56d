//! Networks, the agent and its counters.

use serde_json::Value;

use super::{agent, json, text};
use crate::api::fake::{FakeAgent, FakeBackend};

#[tokio::test]
async fn status_tells_everything() {
    let (_agent, client) = agent(FakeBackend::default()).await;

    assert_eq!(
        text(&client, "status").await,
        "\
Node:           a (192.0.2.1)
Mode:           static
Version:        0.1.0 (map layout 1)
Process:        4711, up 1h 2m 5s
Kernel:         6.18.44, programs on tcx
Encapsulation:  native, UDP port 4789
Services:       balanced by sockets, the rest by packets
Endpoints:      1
Networks:       1
Peers:          2
Routes:         1 exact, 3 blocks
Programmed in:  4 ms
Audits:         12, last 2025-11-22T15:00:00Z; 3 repairs, 0 in the last
Missing:        netkit (Linux 6.7): round trips are a quarter longer

MAP    ENTRIES  CAPACITY  MEMORY
ROUTE  1        65536     7.0 MiB
"
    );
    assert_eq!(
        text(&client, "status --format {{.Encap}}/{{.Audit.Runs}}").await,
        "native/12\n"
    );
    assert_eq!(json(&client, "status").await["attach"], "tcx");
}

#[tokio::test]
async fn status_tells_of_the_cluster() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();

    let told = text(&client, "status").await;

    assert!(told.contains("\nMode:           swarm\n"), "{told}");
    assert!(
        told.contains(
            "
Swarm node:     a3d5k8m2p9q1r4s6t7u0v2w4x
Role:           manager, active, ready
Manager:        a (192.0.2.1:2377), leader
Decisions:      known up to 42; managers last heard from 2025-11-22T15:00:00Z
Gossip:         1 nodes alive, 1 failed; 7 addresses known
Convergence:    0 changes received, 0 to send; 3 full exchanges, which brought 0
Dropped:        0 messages refused, 0 own addresses withdrawn

MAP "
        ),
        "{told}"
    );
    assert_eq!(
        text(
            &client,
            "status --format {{.Mode}}/{{.Cluster.Role}}/{{.Cluster.Gossip.Failed}}"
        )
        .await,
        "swarm/manager/1\n"
    );
    let alone = FakeAgent::start(FakeBackend::alone());
    let alone = json(&alone.client(), "status").await;
    assert_eq!(alone["mode"], "none");
    assert_eq!(alone["cluster"], Value::Null);
}

#[tokio::test]
async fn stats_leave_out_what_never_struck() {
    let (_agent, client) = agent(FakeBackend::default()).await;
    let head = "WALK   PACKETS  BYTES\nlocal  1000     98000\n\n";
    let lost = "\n2 events lost: nobody read them in time\n";

    assert_eq!(
        text(&client, "stats").await,
        format!(
            "{head}DROP REASON  PACKETS  BYTES  HINT\nno-route     7        686    what to do about \
             no-route\n{lost}"
        )
    );
    assert!(
        text(&client, "stats --all")
            .await
            .contains("\nmalformed    0        0      what")
    );
    assert_eq!(json(&client, "stats").await["drops"][1]["number"], 5);
    assert_eq!(text(&client, "stats --format {{.EventsLost}}").await, "2\n");
}

#[tokio::test]
async fn stats_tell_who_was_turned_away() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();
    let head = "\nPORT        EVENT    COUNT\ngossip/udp  garbage  3\n";

    let told = text(&client, "stats").await;
    assert!(told.contains(&format!("{head}\n2 events lost")), "{told}");
    let told = text(&client, "stats --all").await;
    assert!(
        told.contains(&format!("{head}gossip/udp  replay   0\n")),
        "{told}"
    );
    assert_eq!(json(&client, "stats").await["control"][0]["count"], 3);
}

#[tokio::test]
async fn audit_lists_repairs() {
    let (_agent, client) = agent(FakeBackend::default()).await;

    assert_eq!(
        text(&client, "audit").await,
        "\
KIND   OBJECT              ACTION
ROUTE  10.1.0.200 of blue  added

42 checked, 1 repaired in 3 ms
"
    );
    assert_eq!(
        json(&client, "audit").await["repaired"][0]["action"],
        "added"
    );
}

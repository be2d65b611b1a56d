//! Networks, the agent and its counters.

use serde_json::Value;

use super::{agent, json, text};
use crate::api::fake::FakeBackend;

#[tokio::test]
async fn network_ls_and_inspect() {
    let (_agent, client) = agent(FakeBackend::default()).await;

    assert_eq!(
        text(&client, "network ls").await,
        "VNI   NAME  SUBNETS      GATEWAYS  MTU\n4096  blue  10.1.0.0/24  10.1.0.1  1450\n"
    );
    assert_eq!(text(&client, "network ls -q").await, "blue\n");
    let inspected: Value =
        serde_json::from_str(&text(&client, "network inspect blue").await).unwrap();
    assert_eq!(inspected[0]["containers"][0]["name"], "web");
    assert_eq!(inspected[0]["peers"][0]["blocks"][0], "10.1.0.64/26");
    assert_eq!(
        text(
            &client,
            "network inspect blue --format {{.VNI}}:{{.Subnets}}"
        )
        .await,
        "4096:[10.1.0.0/24]\n"
    );
}

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

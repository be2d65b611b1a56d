//! What the fake tells of itself whatever was done before.

use crate::api::types::{
    AuditReport, Check, CheckVerdict, ControlCount, DropCount, Explanation, Mode, Repair, Stats,
    Step, StepVerdict, WalkCount,
};

pub(super) fn stats(mode: Mode) -> Stats {
    let drop = |reason: &str, number, packets| DropCount {
        reason: reason.to_owned(),
        number,
        packets,
        bytes: packets * 98,
        hint: format!("what to do about {reason}"),
    };
    let refused = |event: &str, count| ControlCount {
        port: "gossip/udp".to_owned(),
        event: event.to_owned(),
        count,
    };
    let control = match mode {
        Mode::Swarm => vec![refused("garbage", 3), refused("replay", 0)],
        Mode::Static | Mode::None => Vec::new(),
    };
    Stats {
        walks: vec![WalkCount {
            walk: "local".to_owned(),
            packets: 1000,
            bytes: 98_000,
        }],
        drops: vec![drop("malformed", 1, 0), drop("no-route", 5, 7)],
        events_lost: 2,
        names: None,
        flows_evicted: 0,
        control,
    }
}

pub(super) fn explanation(
    source: String,
    destination: String,
    network: Option<String>,
    arrives: bool,
) -> Explanation {
    let step = |step: &str, verdict, detail: &str| Step {
        step: step.to_owned(),
        verdict,
        detail: detail.to_owned(),
    };
    let last = if arrives {
        step("route", StepVerdict::Ok, "block 10.1.0.64/26 of node b")
    } else {
        step(
            "route",
            StepVerdict::Stop,
            "nobody has it; see `overlay network inspect blue`",
        )
    };
    Explanation {
        source,
        destination,
        network: network.unwrap_or_else(|| "blue".to_owned()),
        arrives,
        steps: vec![
            step("source", StepVerdict::Ok, "web sends as 10.1.0.2"),
            step(
                "MTU",
                StepVerdict::Note,
                "packets over 1450 bytes are refused",
            ),
            last,
        ],
    }
}

pub(super) fn checks(is_ill: bool) -> Vec<Check> {
    let check = |name: &str, verdict, detail: &str, remedy: Option<&str>| Check {
        name: name.to_owned(),
        verdict,
        detail: detail.to_owned(),
        remedy: remedy.map(str::to_owned),
    };
    let mut checks = vec![
        check("kernel", CheckVerdict::Ok, "6.18.44", None),
        check(
            "netkit",
            CheckVerdict::Warn,
            "not in this kernel",
            Some("use Linux 6.7 or newer"),
        ),
    ];
    if is_ill {
        let remedy = Some("stop what uses it, or set datapath.port");
        checks.push(check("port", CheckVerdict::Fail, "4789 is taken", remedy));
    }
    checks
}

pub(super) fn audit() -> AuditReport {
    AuditReport {
        checked: 42,
        repaired: vec![Repair {
            kind: "ROUTE".to_owned(),
            object: "10.1.0.200 of blue".to_owned(),
            action: "added".to_owned(),
        }],
        duration_ms: 3,
    }
}

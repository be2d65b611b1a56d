//! Encrypted networks on whatever kernel this is: a node takes part in one, or is refused. What is on the wire is
//! tested under kernels that can encrypt, in `tests/vm`.

use std::fmt::Write as _;

use overlay_tests::{Container, Swarm};

#[test]
fn a_node_joins_an_encrypted_network_if_its_kernel_can_encrypt_and_is_refused_otherwise() {
    let swarm = Swarm::start(&["a"], 1).expect("a swarm");
    swarm
        .network("secret", &["--opt", "encrypted"])
        .expect("a network");
    let inspected = swarm[0].overlay_json(&["network", "inspect", "secret"]);
    assert_eq!(inspected.expect("inspect")[0]["encrypted"], true);
    let container = Container::new(swarm.session(), "one").expect("a container");

    let attached = container.attach(&swarm[0], "secret", &[]);

    let status = swarm[0].status().expect("a status")["encryption"].clone();
    let checks = swarm[0].overlay(&["doctor"]);
    let told = match &checks {
        Ok(told) => told.clone(),
        Err(error) => format!("{error:#}"),
    };
    match attached {
        Ok(_) => assert_eq!(status["available"], true, "{status}"),
        Err(refused) => {
            let refused = format!("{refused:#}");
            assert_eq!(status["available"], false, "{status}: {refused}");
            assert!(
                refused.contains("this node cannot encrypt, and the network is encrypted"),
                "{refused}"
            );
            assert!(refused.contains("modprobe"), "{refused}");
            assert!(told.contains("cannot join encrypted networks"), "{told}");
        }
    }
    let links = container.exec("ip", &["-o", "link"]).expect("links");
    let has_interface = links.contains("eth0");
    assert_eq!(has_interface, status["available"] == true, "{links}");
    let plain = Container::new(swarm.session(), "two").expect("a container");
    swarm.network("plain", &[]).expect("a network");
    plain
        .attach(&swarm[0], "plain", &[])
        .expect("a network that is not encrypted");
}

#[test]
fn no_secret_is_shown() {
    let swarm = Swarm::start(&["a"], 1).expect("a swarm");
    let view = std::fs::read_to_string(swarm[0].data_dir().join("swarm/view.json"));
    let view: serde_json::Value = serde_json::from_str(&view.expect("a view")).expect("JSON");
    let secret = view["keys"]["keys"][0]["secret"]
        .as_array()
        .expect("a secret");
    let bytes: Vec<u8> = secret
        .iter()
        .map(|byte| byte.as_u64().expect("a byte") as u8)
        .collect();
    let hex: String = bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("room");
        hex
    });
    let decimal: Vec<String> = bytes.iter().take(8).map(u8::to_string).collect();
    swarm[0]
        .overlay(&["swarm", "keys", "--rotate"])
        .expect("a rotation");

    let pid = swarm[0].agent_pid().expect("an agent");
    let shown = [
        swarm[0]
            .overlay(&["--format", "json", "status"])
            .expect("status"),
        swarm[0]
            .overlay(&["--format", "json", "swarm", "keys"])
            .expect("keys"),
        swarm[0]
            .overlay(&["--format", "json", "node", "inspect", "self"])
            .unwrap_or_default(),
        std::fs::read_to_string(swarm[0].log_file()).expect("a log"),
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("a command line"),
    ];

    for text in &shown {
        assert!(!text.contains(&hex), "{text}");
        assert!(
            !text.contains(&decimal.join(", ")) && !text.contains(&decimal.join(",")),
            "{text}"
        );
    }
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"]);
}

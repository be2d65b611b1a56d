//! What programs in containers see, whose resolver is glibc's: a server in a network namespace of its own, and
//! `getent` there with the file that containers get.

use std::{fs, net::IpAddr, path::Path, sync::Arc, time::Duration};

use tokio::{process::Command, runtime, sync::watch, task::JoinSet, time::timeout};

use super::{
    super::{Endpoint, NetworkFacts, Side, Zone},
    ip, vni,
};
use crate::{
    dns::{Asker, Askers, Counters, Desk, Doors, ResolvConf, Servers, serve},
    model::Place,
    netlink::{Namespace, Socket},
};

const LOOPBACK: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Everybody;

impl Askers for Everybody {
    fn asker(&self, _source: IpAddr) -> Option<Asker> {
        Some(Asker {
            networks: vec![vni(4096)],
        })
    }
}

fn zone() -> Zone {
    let mut zone = Zone::default();
    let facts = NetworkFacts {
        name: "blue".to_owned(),
        subnets: vec!["10.1.0.0/24".parse().unwrap()],
        ..NetworkFacts::default()
    };
    zone.set_networks(&[(vni(4096), facts)].into());
    for (name, address) in [
        ("box", "10.1.0.2"),
        ("db.example", "10.1.0.3"),
        ("box", "fd00:1::2"),
    ] {
        let place = Place {
            vni: vni(4096),
            address: ip(address),
        };
        let endpoint = Endpoint::new(name, &"ab".repeat(32), &[], None);
        zone.set_endpoint(place, Side::Here, Some(endpoint));
    }
    zone
}

/// What `getent` finds, a word for each address or name, where the host's file says this.
async fn getent(directory: &Path, host: &str, arguments: &[&str]) -> String {
    let file = directory.join("resolv.conf");
    let content = ResolvConf::parse(host).for_container(&[ip("169.254.53.53")]);
    fs::write(&file, content).unwrap();
    let script = "mount --bind \"$1\" /etc/resolv.conf && shift && exec getent \"$@\"";
    let ran = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&file)
        .args(arguments)
        .output();
    let output = timeout(PATIENCE, ran).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn ask() {
    let (_sender, zone) = watch::channel(Arc::new(zone()));
    let counters = Arc::new(Counters::default());
    let desk = Desk::new(zone, Arc::new(Everybody), Servers::fixed(&[]), 2, counters);
    let (doors, mut open) = watch::channel(Doors::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(Arc::new(desk), vec![ip("169.254.53.53")], 53, doors));
    let opened = open.wait_for(|doors| doors.values().any(Option::is_none));
    timeout(PATIENCE, opened).await.unwrap().unwrap();

    let directory = tempfile::tempdir().unwrap();
    let plain = "nameserver 192.0.2.53\n";
    let search = "nameserver 192.0.2.53\nsearch other.example example\n";
    for (host, arguments, found) in [
        (plain, ["hosts", "box"], "fd00:1::2 box"),
        (
            plain,
            ["ahostsv4", "Box"],
            "10.1.0.2 STREAM Box 10.1.0.2 DGRAM 10.1.0.2 RAW",
        ),
        (plain, ["hosts", "box.blue"], "fd00:1::2 box.blue"),
        (plain, ["hosts", "db.example"], "10.1.0.3 db.example"),
        (plain, ["hosts", "10.1.0.3"], "10.1.0.3 db.example.blue"),
        // The host's suffixes are tried for what is none of ours.
        (search, ["hosts", "db"], "10.1.0.3 db.example"),
        (search, ["hosts", "box"], "fd00:1::2 box"),
        (plain, ["hosts", "db"], ""),
        (plain, ["hosts", "10.1.0.9"], ""),
    ] {
        let told = getent(directory.path(), host, &arguments).await;
        assert_eq!(told, found, "{arguments:?} with {host:?}");
    }
}

#[test]
fn glibc_finds_names_through_the_file_that_containers_get() {
    let namespace = Namespace::create().expect("making a network namespace takes root");
    let mut socket = Socket::open_in(&namespace).unwrap();
    socket.set_up(LOOPBACK).unwrap();
    socket
        .add_address(LOOPBACK, ip("169.254.53.53"), 32)
        .unwrap();

    // One thread, because a namespace belongs to a thread.
    let asking = namespace.run(|| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(ask());
    });
    asking.unwrap();
}

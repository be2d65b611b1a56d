//! Tasks of a service in every host's maps: they come, they are killed, their hosts are.

use std::{
    collections::BTreeSet,
    fs,
    net::IpAddr,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use overlay_tests::{
    Container, Host, Swarm, interrupt,
    process::{self, Daemon},
    swarm::AGREED,
};

use crate::maps::{Balanced, Maps};

/// A task: a command in a namespace of its own.
struct Task {
    run: Daemon,
    address: IpAddr,
}

impl Task {
    fn start(swarm: &Swarm, place: usize, name: &str) -> Self {
        let host = &swarm[place];
        let options = [
            "run",
            "--network",
            "blue",
            "--service",
            "web",
            "--name",
            name,
        ];
        let mut command = host.cli(&options);
        command.args(["--", "sleep", "1000"]);
        let log = swarm.session().directory().join(format!("{name}.log"));
        let run = Daemon::start(name, &mut command, &log).expect("a task");
        let mut address = None;
        let is_there = interrupt::wait_until(AGREED, || {
            address = address_of(host, name);
            address.is_some() && children(run.pid()).len() == 1
        });
        assert!(is_there.expect("no interruption"), "{}", run.log_tail(20));
        let address = address.expect("an address");
        Self { run, address }
    }

    /// Kills the command, as the kernel does when memory is short.
    fn kill(&self) {
        for child in children(self.run.pid()) {
            process::signal(child, Signal::SIGKILL).expect("a kill");
        }
    }
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let list = list.unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

fn address_of(host: &Host, name: &str) -> Option<IpAddr> {
    let endpoints = host.overlay_json(&["endpoint", "ls"]).ok()?;
    let mut all = endpoints.as_array()?.iter();
    let found = all.find(|endpoint| endpoint["name"] == name)?;
    let address = found["ipv4"].as_str()?;
    address.split('/').next()?.parse().ok()
}

/// Three hosts with a service `web` on the network `blue`, which is on all of them.
fn world() -> (Swarm, Vec<Container>, IpAddr, Vec<Maps>) {
    let swarm = Swarm::start(&["a", "b", "c"], 1).expect("a swarm");
    swarm
        .network("blue", &["--subnet", "10.9.0.0/24"])
        .expect("a network");
    let clients = (0..3)
        .map(|place| {
            swarm
                .guest(place, "blue", &format!("client{place}"))
                .expect("a container")
                .0
        })
        .collect();
    swarm[0]
        .overlay(&[
            "service",
            "create",
            "--name",
            "web",
            "--network",
            "blue",
            "--drain",
            "3s",
        ])
        .expect("a service");
    let maps: Vec<Maps> = swarm
        .hosts()
        .iter()
        .map(|host| Maps::of(host).expect("maps"))
        .collect();
    let vip = vip(&swarm);
    (swarm, clients, vip, maps)
}

fn vip(swarm: &Swarm) -> IpAddr {
    let inspected = swarm[0].overlay_json(&["service", "inspect", "web"]);
    let inspected = inspected.expect("inspect");
    let text = inspected[0]["endpoint"]["virtual_ips"][0]["addr"]
        .as_str()
        .unwrap_or_else(|| panic!("no VIP in {inspected:#}"));
    text.split('/')
        .next()
        .expect("text")
        .parse()
        .expect("an address")
}

/// Waits until every host says so; how long that took.
fn await_all(
    maps: &[Maps],
    vip: IpAddr,
    limit: Duration,
    is_so: impl Fn(&Balanced) -> bool,
) -> Duration {
    let begun = Instant::now();
    let mut latest = Vec::new();
    while begun.elapsed() < limit {
        latest = maps
            .iter()
            .map(|maps| maps.balanced(vip).expect("readable maps"))
            .collect();
        if latest
            .iter()
            .all(|balanced| balanced.as_ref().is_some_and(&is_so))
        {
            return begun.elapsed();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("not within {limit:?}: {latest:?}");
}

fn open_at(addresses: &[IpAddr]) -> impl Fn(&Balanced) -> bool {
    let wanted: BTreeSet<IpAddr> = addresses.iter().copied().collect();
    move |balanced| {
        balanced.open == wanted
            && balanced.backends.keys().copied().collect::<BTreeSet<_>>() == wanted
    }
}

fn say(what: &str, took: Duration) {
    let line = format!("{what}: {took:?}\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("stderr");
}

#[test]
fn a_killed_task_is_out_of_all_maps_at_once() {
    let (swarm, _clients, vip, maps) = world();
    let one = Task::start(&swarm, 0, "one");
    let two = Task::start(&swarm, 1, "two");
    await_all(&maps, vip, AGREED, open_at(&[one.address, two.address]));

    for (number, (survivor, place)) in [(&two, 0), (&two, 2)].into_iter().enumerate() {
        let victim = if number == 0 {
            one.kill();
            one.address
        } else {
            let three = Task::start(&swarm, place, "three");
            await_all(&maps, vip, AGREED, open_at(&[three.address, two.address]));
            three.kill();
            three.address
        };
        let took = await_all(&maps, vip, AGREED, |balanced| {
            !balanced.open.contains(&victim) && !balanced.backends.contains_key(&victim)
        });
        say("a killed task is gone everywhere", took);
        assert!(took < Duration::from_millis(200), "{took:?}");
        await_all(&maps, vip, AGREED, open_at(&[survivor.address]));
    }
}

#[test]
fn the_tasks_of_a_killed_node_get_no_flows_within_three_seconds() {
    let (mut swarm, _clients, vip, maps) = world();
    let one = Task::start(&swarm, 0, "one");
    let two = Task::start(&swarm, 2, "two");
    await_all(&maps, vip, AGREED, open_at(&[one.address, two.address]));
    interrupt::pause(Duration::from_secs(2)).expect("no interruption");

    swarm.host_mut(2).kill_agent().expect("a kill");

    let begun = Instant::now();
    await_all(&maps[..2], vip, AGREED, |balanced| {
        !balanced.open.contains(&two.address)
    });
    let closed = begun.elapsed();
    await_all(&maps[..2], vip, AGREED, |balanced| {
        !balanced.backends.contains_key(&two.address)
    });
    let gone = begun.elapsed();
    say("a killed node gets no new flows", closed);
    say("its task is gone", gone);
    assert!(closed < Duration::from_secs(2), "{closed:?}");
    assert!(gone < Duration::from_secs(3), "{gone:?}");

    swarm.host_mut(2).start_agent().expect("a start");
    await_all(
        &maps[..2],
        vip,
        AGREED,
        open_at(&[one.address, two.address]),
    );
}

#[test]
fn a_restarted_agent_forgets_no_task_and_renumbers_none() {
    let (mut swarm, _clients, vip, maps) = world();
    let one = Task::start(&swarm, 0, "one");
    let two = Task::start(&swarm, 1, "two");
    await_all(&maps, vip, AGREED, open_at(&[one.address, two.address]));
    let before = maps[0].balanced(vip).expect("maps");

    swarm.host_mut(0).kill_agent().expect("a kill");
    swarm.host_mut(0).start_agent().expect("a start");
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until {
        assert_eq!(maps[0].balanced(vip).expect("maps"), before);
        std::thread::sleep(Duration::from_millis(5));
    }

    drop((one, two));
}

#[test]
fn a_detached_task_drains_first() {
    let (swarm, _clients, vip, maps) = world();
    let one = Task::start(&swarm, 0, "one");
    let served = Container::new(swarm.session(), "two").expect("a container");
    let eth0 = served
        .attach(&swarm[1], "blue", &["--service", "web"])
        .expect("attach");
    let two: IpAddr = eth0.need_v4().expect("an address").into();
    await_all(&maps, vip, AGREED, open_at(&[one.address, two]));
    // A datagram socket: who has one may have flows.
    let socket = served
        .namespace()
        .run(|| std::net::UdpSocket::bind("0.0.0.0:53"));
    let _socket = socket.expect("a namespace").expect("a socket");

    let begun = Instant::now();
    std::thread::scope(|scope| {
        let detaching = scope.spawn(|| served.detach(&swarm[1], "blue"));
        await_all(&maps, vip, AGREED, |balanced| {
            !balanced.open.contains(&two) && balanced.backends.contains_key(&two)
        });
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
        detaching.join().expect("a thread").expect("detach");
    });

    assert!(
        begun.elapsed() >= Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    await_all(&maps, vip, AGREED, open_at(&[one.address]));
}

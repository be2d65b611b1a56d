//! Agents that are killed and come back, and a network that falls apart: packets go on. An agent that is away for more
//! than about two seconds and a half counts as a host that died.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use overlay_tests::{
    Host, Service, Swarm, interrupt,
    process::{self, Daemon},
    service::{await_service, bring_back, cut_off, published},
    traffic::{Load, Target},
};

use crate::scene::{
    OUTSIDE, PACKETS, asking, assert_answered, client, impatient, three_hosts, three_hosts_with,
    web,
};

/// How long an agent may take to answer again.
const BACK: Duration = Duration::from_secs(20);

fn pause(time: Duration) {
    interrupt::pause(time).expect("no interruption");
}

/// A host's agent, started a second time. Dropping it stops it.
fn start_again(host: &Host) -> Daemon {
    let mut command = host.namespace().command(&host.binaries().agent);
    command.arg("--config").arg(host.config_file());
    command.arg("--data-dir").arg(host.data_dir());
    command.arg("--run-dir").arg(host.run_dir());
    let name = format!("second agent of host {}", host.name());
    let agent = Daemon::start(&name, &mut command, &host.log_file()).expect("an agent");
    let api = host.api();
    let answers = interrupt::wait_until(BACK, || api.get("/status").is_ok());
    assert!(answers.expect("no interruption"), "{}", host.log_tail());
    agent
}

/// Returns when it is gone, which its parent has not noticed then.
fn kill(agent: u32) {
    process::signal(agent, Signal::SIGKILL).expect("a kill");
    let gone = interrupt::wait_until(BACK, || {
        let stat = std::fs::read_to_string(format!("/proc/{agent}/stat"));
        let state = stat.unwrap_or_default();
        let state = state.rsplit_once(") ").map_or("", |(_name, rest)| rest);
        let threads = std::fs::read_dir(format!("/proc/{agent}/task"));
        let threads = threads.map_or(0, Iterator::count);
        threads == 0 || threads == 1 && state.starts_with('Z')
    });
    assert!(gone.expect("no interruption"), "{agent} does not die");
}

fn loads(swarm: &Swarm, service: &Service<'_>) -> Vec<(&'static str, Load)> {
    let (client, _) = client(swarm, 0);
    let inside = asking(service, &client, 0);
    let outside = Target::http(swarm[OUTSIDE].namespace(), published(&swarm[0], 8080));
    await_service(&outside).expect("an answer");
    let load = |target: &Target| target.load(3, Duration::from_millis(2));
    vec![("VIP", load(&inside)), ("published port", load(&outside))]
}

fn assert_faultless(loads: Vec<(&'static str, Load)>, begun: Instant) {
    for (what, load) in loads {
        let record = load.stop().expect("a record");
        let failures: Vec<_> = record.failures().collect();
        let first = failures.iter().take(8);
        let first: Vec<_> = first
            .map(|one| (one.begun - begun, one.took, &one.outcome))
            .collect();
        assert!(
            failures.is_empty(),
            "{what}: {} of {} failed, the first {first:?}",
            failures.len(),
            record.attempts().len()
        );
        assert!(record.attempts().len() > 100, "{what}: hardly any load");
    }
}

/// The node of the client, which is the one that is asked from outside, then one with a task only.
fn comes_back(lines: &str) {
    let swarm = three_hosts_with(lines);
    let service = web(&swarm, &["--publish", "8080:80"], &[0, 1, 2]);
    let loads = loads(&swarm, &service);
    let begun = Instant::now();
    pause(Duration::from_secs(1));

    let mut second = Vec::new();
    for place in [0, 1] {
        let killed = Instant::now();
        kill(swarm[place].agent_pid().expect("an agent"));
        second.push(start_again(&swarm[place]));
        let line = format!("agent of {place} was away for {:?}\n", killed.elapsed());
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("stderr");
        // Until nobody believes what it knew before.
        pause(Duration::from_secs(12));
    }
    kill(second[1].pid());
    second[1] = start_again(&swarm[1]);
    pause(Duration::from_secs(5));

    assert_faultless(loads, begun);
    service.await_running(3).expect("three tasks");
}

#[test]
fn an_agent_that_is_killed_and_comes_back_fails_nothing() {
    comes_back("");
}

#[test]
fn an_agent_that_is_killed_and_comes_back_fails_nothing_packet_by_packet() {
    comes_back(PACKETS);
}

/// Every order in which the three can be stopped and started: after each, all tasks serve again.
#[test]
fn agents_may_be_stopped_and_started_in_any_order() {
    let mut swarm = three_hosts();
    let mut tasks = Vec::new();
    let mut order = Vec::new();
    {
        let mut service = web(&swarm, &["--publish", "8080:80"], &[]);
        for place in 0..3 {
            service.start_task(place).expect("a task");
        }
        service.await_running(3).expect("three tasks");
        tasks.extend(service.into_tasks());
    }
    for one in 0..3 {
        for other in (0..3).filter(|other| *other != one) {
            order.push([one, other, 3 - one - other]);
        }
    }
    for (stops, starts) in order.iter().zip(order.iter().rev()) {
        for place in stops {
            swarm.host_mut(*place).stop_agent().expect("a stop");
        }
        for place in starts {
            swarm.host_mut(*place).start_agent().expect("a start");
        }
        for place in 0..3 {
            let target = Target::http(swarm[OUTSIDE].namespace(), published(&swarm[place], 8080));
            let all = interrupt::wait_until(BACK, || {
                let record = target.ask_often(30);
                record.is_ok_and(|record| {
                    record.failures().count() == 0 && record.answers().len() == tasks.len()
                })
            });
            assert!(
                all.expect("no interruption"),
                "stopped {stops:?}, started {starts:?}, asked {place}"
            );
        }
    }
}

#[test]
fn a_network_that_falls_apart_goes_on_in_parts_and_grows_together() {
    let swarm = three_hosts();
    let service = web(&swarm, &["--publish", "8080:80"], &[0, 1, 2]);
    let (client, _) = client(&swarm, 0);
    let [inside, outside] = impatient(&swarm, &service, &client);

    cut_off(&swarm, 2).expect("a cut");
    pause(Duration::from_secs(5));
    for target in [&inside, &outside] {
        assert_answered(target, 2);
    }
    // The other part goes on, too.
    let lonely = {
        let (client, _) = swarm
            .guest(2, crate::scene::BLUE, "lonely")
            .expect("a client");
        Target {
            from: client.namespace().clone(),
            ..inside.clone()
        }
    };
    await_service(&lonely).expect("an answer");
    bring_back(&swarm, 2).expect("a way back");
    for target in [&inside, &outside, &lonely] {
        let whole = interrupt::wait_until(BACK, || {
            let record = target.ask_often(60);
            record.is_ok_and(|record| record.failures().count() == 0 && record.answers().len() == 3)
        });
        assert!(
            whole.expect("no interruption"),
            "{} does not reach all",
            target.from.name()
        );
    }
}

/// An agent that is killed while a task drains: the command asks the next one, and nothing fails.
#[test]
fn a_drain_that_loses_its_agent_is_begun_anew() {
    let swarm = three_hosts();
    let mut service = web(
        &swarm,
        &["--publish", "8080:80", "--drain", "2s"],
        &[0, 1, 2],
    );
    let loads = loads(&swarm, &service);
    let begun = Instant::now();
    pause(Duration::from_secs(1));

    process::signal(service.tasks()[1].command(), Signal::SIGTERM).expect("a signal");
    pause(Duration::from_millis(300));
    kill(swarm[1].agent_pid().expect("an agent"));
    let _second = start_again(&swarm[1]);
    service.task_mut(1).await_end().expect("the task's end");
    pause(Duration::from_secs(2));

    assert_faultless(loads, begun);
    service.await_running(2).expect("two tasks");
}

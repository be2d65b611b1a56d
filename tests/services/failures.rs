//! Tasks and hosts that end, with a plan or without.

use std::time::{Duration, Instant};

use overlay_tests::{
    Service, Swarm, interrupt,
    service::{UdpTask, await_service, cut_off, published},
    traffic::{Attempt, Carrier, Load, Record, Target},
};

use crate::scene::{BLUE, OUTSIDE, asking, client, impatient, three_hosts, web};

/// How long new connections may fail after a task was killed.
const TASK: Duration = Duration::from_millis(200);

/// How long after its host was.
const HOST: Duration = Duration::from_secs(3);

/// How long datagrams of a client may go to a task that has ended.
const FLOW: Duration = Duration::from_secs(1);

/// How long services of tests let flows go on.
const DRAIN: Duration = Duration::from_secs(2);

/// Of a planned end under load none fails.
const PLANNED: usize = 100_000;

fn pause(time: Duration) {
    interrupt::pause(time).expect("no interruption");
}

/// Lets the load go on for a while after `happen`, and tells how long requests failed.
fn outage(load: Vec<Load>, happen: impl FnOnce(), after: Duration) -> Vec<(Duration, Record)> {
    pause(Duration::from_secs(1));
    let begun = Instant::now();
    happen();
    pause(after);
    let records = load.into_iter().map(|load| load.stop().expect("a record"));
    records
        .map(|record| {
            let before = record.attempts().iter();
            let failed = before.filter(|attempt| attempt.ended() < begun && !attempt.is_answered());
            assert_eq!(
                failed.count(),
                0,
                "requests failed before anything happened"
            );
            (record.outage(begun), record)
        })
        .collect()
}

#[test]
fn a_killed_task_fails_new_connections_for_a_fifth_of_a_second_at_most() {
    let swarm = three_hosts();
    let service = web(&swarm, &["--publish", "8080:80"], &[0, 1, 2]);
    let (client, _) = client(&swarm, 0);
    let inside = asking(&service, &client, 0);
    let outside = Target::http(swarm[OUTSIDE].namespace(), published(&swarm[0], 8080));
    await_service(&outside).expect("an answer");

    let load = [&inside, &outside].map(|target| target.load(4, Duration::from_millis(2)));
    // On another host than any that is asked.
    let kill = || service.tasks()[1].kill().expect("a kill");
    for (outage, record) in outage(load.into(), kill, Duration::from_secs(3)) {
        assert!(
            outage <= TASK,
            "{outage:?}, the last by {:?}",
            record.failures().last()
        );
        assert!(record.answers().len() == 3, "{:?}", record.answers());
    }
    service.await_running(2).expect("two tasks");
}

#[test]
fn a_host_that_dies_fails_new_connections_for_three_seconds_at_most() {
    let swarm = three_hosts();
    let service = web(&swarm, &["--publish", "8080:80"], &[0, 1, 2]);
    let (client, _) = client(&swarm, 0);
    let [inside, outside] = impatient(&swarm, &service, &client);

    let load = [&inside, &outside].map(|target| target.load(4, Duration::from_millis(10)));
    let cut = || cut_off(&swarm, 2).expect("a cut");
    for (outage, record) in outage(load.into(), cut, Duration::from_secs(8)) {
        assert!(
            outage <= HOST,
            "{outage:?}, the last by {:?}",
            record.failures().last()
        );
        // It began a second before the cut.
        let first = record.attempts().first().expect("requests").begun;
        let later = record.since(first + Duration::from_secs(6));
        assert_eq!(later.answers().len(), 2, "{:?}", later.answers());
    }
}

/// The first few failures, with when they began and how long they took.
fn told(failures: &[&Attempt], start: Instant) -> String {
    let one = |attempt: &&Attempt| {
        let when = attempt.begun.saturating_duration_since(start);
        format!("\n{when:?} +{:?} {:?}", attempt.took, attempt.outcome)
    };
    let lines: Vec<String> = failures.iter().take(20).map(one).collect();
    format!("{} failed{}", failures.len(), lines.concat())
}

#[test]
fn nothing_fails_when_a_task_leaves_as_planned() {
    let swarm = three_hosts();
    let drain = format!("{}s", DRAIN.as_secs());
    let options = ["--publish", "8080:80", "--drain", &drain];
    // The last task is a new one, which gets requests once it answers.
    let check = ["--health-tcp", "80", "--health-interval", "250ms"];
    let options = [&options[..], &check].concat();
    let mut service = web(&swarm, &options, &[0, 1, 2, 2]);
    let (client, _) = client(&swarm, 0);
    let inside = asking(&service, &client, 0);
    let outside = Target::http(swarm[OUTSIDE].namespace(), published(&swarm[1], 8080));
    await_service(&outside).expect("an answer");

    let start = Instant::now();
    let load = [&inside, &outside].map(|target| target.load(4, Duration::ZERO));
    pause(Duration::from_secs(1));
    for place in [3, 1] {
        // `overlay run` takes its task out of the service first, and ends the command after the drain time.
        service.task_mut(place).drain().expect("the task's end");
        pause(Duration::from_secs(2));
    }
    let name = service.start_task(1).expect("a new task");
    let begun = Instant::now();
    let mut records = Vec::new();
    // As long as it takes to have asked often enough.
    while begun.elapsed() < Duration::from_mins(3) {
        records.push(outside.ask_side_by_side(10_000, 4).expect("requests"));
        let asked: usize = records.iter().map(|record| record.attempts().len()).sum();
        if asked > PLANNED {
            break;
        }
    }
    records.extend(load.map(|load| load.stop().expect("a record")));

    let failures: Vec<_> = records.iter().flat_map(Record::failures).collect();
    let asked: usize = records.iter().map(|record| record.attempts().len()).sum();
    assert!(asked >= PLANNED, "only {asked} requests");
    assert_eq!(failures.len(), 0, "of {asked}: {}", told(&failures, start));
    let last = records.last().expect("records");
    assert!(
        last.answers().contains_key(name.as_str()),
        "{:?}",
        last.answers()
    );
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At once.
    Forced,
    /// After its service's drain time, which its flows use up: nobody knows when datagrams end.
    Planned,
}

/// Ends the task that answers a flow of datagrams; another one must go on.
fn moves(swarm: &Swarm, tasks: &mut Vec<(usize, UdpTask)>, target: &Target, end: End) {
    await_service(target).expect("an answer");
    let load = target.load(1, Duration::from_millis(20));
    pause(Duration::from_secs(1));
    let heard = |(_, task): &(usize, UdpTask)| task.server.clients().len();
    let before: Vec<usize> = tasks.iter().map(heard).collect();
    pause(Duration::from_millis(300));
    let busy = tasks
        .iter()
        .zip(before)
        .position(|(task, before)| heard(task) > before);
    let (place, ended) = tasks.remove(busy.expect("somebody answers"));

    let begun = Instant::now();
    let detached = match end {
        End::Forced => ended.container.detach_at_once(&swarm[place], BLUE),
        End::Planned => ended.container.detach(&swarm[place], BLUE),
    };
    detached.expect("detach");
    let took = begun.elapsed();
    drop(ended);
    pause(Duration::from_secs(3));
    let record = load.stop().expect("a record");

    assert_eq!(took >= DRAIN, end == End::Planned, "{took:?}");
    let failed: Vec<Instant> = record.failures().map(|attempt| attempt.begun).collect();
    let since = match end {
        End::Forced => begun,
        // Until then it answers.
        End::Planned => failed.first().copied().unwrap_or(begun),
    };
    let outage = record.outage(since);
    assert!(
        outage <= FLOW,
        "{end:?}, {outage:?}: {:?}",
        record.answers()
    );
    assert_eq!(record.answers().len(), 2, "it moved once");
}

#[test]
fn datagrams_of_a_client_move_within_a_second() {
    let swarm = three_hosts();
    let drain = format!("{}s", DRAIN.as_secs());
    let options = ["--network", BLUE, "--publish", "5353:80/udp", "--drain"];
    let options: Vec<&str> = options.into_iter().chain([drain.as_str()]).collect();
    let service = Service::create(&swarm, "echo", &options).expect("service create");
    let start = |number: usize| {
        let (place, name) = (number % 3, format!("echo.{}", number + 1));
        let task = UdpTask::start(&swarm, place, BLUE, service.name(), &name);
        (place, task.expect("a task"))
    };
    let mut tasks: Vec<(usize, UdpTask)> = (0..5).map(start).collect();
    service.await_running(5).expect("five tasks");
    let (client, _) = client(&swarm, 0);
    let vip = service.vip(0, BLUE).expect("a VIP");
    let outside = swarm[OUTSIDE].namespace();

    for end in [End::Forced, End::Planned] {
        for mut target in [
            Target::udp(client.namespace(), vip, Carrier::UdpFlow),
            Target::udp(outside, published(&swarm[0], 5353), Carrier::UdpFlow),
        ] {
            target.patience = Duration::from_millis(100);
            moves(&swarm, &mut tasks, &target, end);
        }
    }
}

#[test]
fn what_becomes_of_tasks_is_listed_on_their_own_node_and_elsewhere() {
    let swarm = three_hosts();
    let drain = format!("{}s", DRAIN.as_secs());
    let options = ["--network", BLUE, "--drain", &drain];
    let service = Service::create(&swarm, "echo", &options).expect("service create");
    let start = |place: usize| {
        let name = format!("echo.{place}");
        UdpTask::start(&swarm, place, BLUE, service.name(), &name).expect("a task")
    };
    let tasks = [start(0), start(1)];
    service.await_running(2).expect("two tasks");
    let await_state = |state: &str, count: usize| {
        let mut listing = String::new();
        let is_so = interrupt::wait_until(Duration::from_secs(10), || {
            listing = service.ps().unwrap_or_default();
            listing.lines().filter(|line| line.contains(state)).count() == count
        });
        assert!(is_so.expect("no interruption"), "{state}: {listing}");
    };

    // Nobody listens there.
    service
        .update(&["--health-tcp", "81", "--health-interval", "200ms"])
        .expect("an update");
    await_state("Unhealthy", 2);
    service.update(&["--no-healthcheck"]).expect("an update");
    await_state("Running", 2);
    std::thread::scope(|scope| {
        for (place, task) in tasks.iter().enumerate() {
            let swarm = &swarm;
            scope.spawn(move || task.container.detach(&swarm[place], BLUE).expect("detach"));
        }
        await_state("Draining", 2);
    });
    await_state("Draining", 0);
}

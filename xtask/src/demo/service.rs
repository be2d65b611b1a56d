//! The demo's last act: a service of five tasks on three hosts behind a published port, and a host that dies.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use overlay_tests::{
    Binaries, Nginx, Service, Session, Swarm, Wiring, interrupt,
    service::{await_service, cut_off, published},
    traffic::{Record, Target},
};

use super::promises::Promises;
use crate::bench::Progress;

/// Name of the session, and so of every namespace: `ovl-demoservice-…`.
pub(super) const SESSION: &str = "demoservice";

/// The last one is outside: it asks, and its agent is in no swarm.
const NAMES: [&str; 4] = ["a", "b", "c", "outside"];
const OUTSIDE: usize = 3;

/// Hosts of the tasks; that of the last two dies.
const PLACES: [usize; 5] = [0, 0, 1, 2, 2];
const VICTIM: usize = 2;

const PORT: u16 = 8080;
const REQUESTS: u32 = 1000;

/// How long after a host's death requests may fail.
const BOUND: Duration = Duration::from_secs(3);

/// Shows it, and counts what does not hold.
pub(super) fn show(binaries: &Binaries, promises: &mut Promises) -> Result<()> {
    println!("\nA service: five tasks on three hosts behind port {PORT} of each");
    let mut progress = Progress::new(2 + PLACES.len() as u64);
    progress.step("making a swarm of three hosts");
    let session = Session::open(SESSION)?;
    let swarm = Swarm::besides(session, Wiring::default(), &NAMES, OUTSIDE, binaries, "")?;
    progress.step("creating network and service");
    swarm[0].overlay(&["network", "create", "web-net"])?;
    let publish = format!("published={PORT},target=80");
    let options = ["--network", "web-net", "--publish", &publish];
    let mut service = Service::create(&swarm, "web", &options)?;
    for place in PLACES {
        progress.step(&format!("starting a task on host {}", swarm[place].name()));
        service.start_task(place)?;
    }
    service.await_running(PLACES.len())?;
    drop(progress);

    let outside =
        |place: usize| Target::http(swarm[OUTSIDE].namespace(), published(&swarm[place], PORT));
    for place in 0..OUTSIDE {
        await_service(&outside(place))?;
    }
    spread(&outside, &swarm, &service, promises)?;
    death(&outside, &swarm, promises)
}

/// Every host leads to every task.
fn spread(
    outside: &impl Fn(usize) -> Target,
    swarm: &Swarm,
    service: &Service<'_>,
    promises: &mut Promises,
) -> Result<()> {
    let mut answers: BTreeMap<String, u32> = BTreeMap::new();
    for place in 0..OUTSIDE {
        let record = outside(place).ask_side_by_side(REQUESTS, 4)?;
        let all = record.attempts().len();
        let failed = record.failures().count();
        promises.promise(
            failed == 0 && record.answers().len() == PLACES.len(),
            &format!(
                "port {PORT} of host {}: {} of {all} requests answered, by {} tasks",
                swarm[place].name(),
                all - failed,
                record.answers().len()
            ),
        );
        for (task, count) in record.answers() {
            *answers.entry(task.to_owned()).or_default() += count;
        }
    }
    let whole: u32 = answers.values().sum();
    for (task, place) in service.tasks().iter().zip(PLACES) {
        let count = answers.get(task.name()).copied().unwrap_or_default();
        println!(
            "    {} on host {}: {count} requests, {:.1} %",
            task.name(),
            swarm[place].name(),
            f64::from(count) * 100.0 / f64::from(whole.max(1))
        );
    }
    let own = swarm[OUTSIDE].machine().address();
    let mut seen = 0;
    let mut as_itself = 0;
    for request in service.tasks().iter().map(Nginx::requests) {
        for request in request? {
            seen += 1;
            as_itself += usize::from(request.client == own);
        }
    }
    promises.promise(
        seen > 0 && seen == as_itself,
        &format!("the tasks' logs have {own} as the client of {as_itself} of {seen} requests"),
    );
    Ok(())
}

/// A host is cut off while requests go on.
fn death(outside: &impl Fn(usize) -> Target, swarm: &Swarm, promises: &mut Promises) -> Result<()> {
    let mut target = outside(0);
    target.patience = Duration::from_millis(500);
    let load = target.load(4, Duration::from_millis(5));
    interrupt::pause(Duration::from_secs(1))?;
    let begun = Instant::now();
    cut_off(swarm, VICTIM)?;
    interrupt::pause(BOUND * 3)?;
    let record = load.stop()?;

    let outage = record.outage(begun);
    let later = record.since(begun + BOUND);
    promises.promise(
        outage <= BOUND && is_faultless(&later),
        &format!(
            "host {} dies: requests fail for {} ms, and after {} s none of {}",
            swarm[VICTIM].name(),
            outage.as_millis(),
            BOUND.as_secs(),
            later.attempts().len()
        ),
    );
    for (task, count) in later.answers() {
        println!("    {task} goes on with {count} requests");
    }
    Ok(())
}

fn is_faultless(record: &Record) -> bool {
    !record.attempts().is_empty() && record.failures().next().is_none()
}

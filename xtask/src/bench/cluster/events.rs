//! Things that happen, and how long the cluster takes to act on them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use overlay_tests::{
    Container, Swarm, interrupt,
    swarm::{AGREED, await_reply},
};

use super::NETWORK;
use crate::bench::{progress::Progress, report::Figures, statistics::Series};

/// From the start of an attachment on one host until a packet from another host is answered.
pub(super) fn first_packets(
    swarm: &Swarm,
    case: &str,
    rounds: u32,
    figures: &mut Figures,
) -> Result<()> {
    let (asker, _) = swarm.guest(0, NETWORK, "asker")?;
    let mut times = Series::default();
    let mut progress = Progress::new(rounds.into());
    for round in 0..rounds as usize {
        progress.step(&format!("{case}: a new endpoint answers another host"));
        let place = 1 + round % (swarm.hosts().len() - 1);
        let guest = Container::new(swarm.session(), &format!("late{round}"))?;
        let begun = Instant::now();
        let eth0 = guest.attach(&swarm[place], NETWORK, &[])?;
        await_reply(&asker, eth0.need_v4()?.into(), AGREED)?;
        times.add(begun.elapsed().as_secs_f64() * 1e3);
        guest.detach(&swarm[place], NETWORK)?;
    }
    drop(progress);
    percentiles(case, "first_packet", &times, figures);
    asker.detach(&swarm[0], NETWORK)
}

/// From the death of an agent until every other one has noticed.
pub(super) fn crashes(
    swarm: &mut Swarm,
    case: &str,
    rounds: u32,
    figures: &mut Figures,
) -> Result<()> {
    let mut times = Series::default();
    let mut progress = Progress::new(rounds.into());
    let count = swarm.hosts().len();
    for round in 0..rounds as usize {
        progress.step(&format!("{case}: a crash is noticed everywhere"));
        let victim = count - 1 - round % (count - super::MANAGERS);
        swarm.host_mut(victim).kill_agent()?;
        let begun = Instant::now();
        let everybody = || {
            let mut others = swarm.hosts().iter().enumerate();
            others.all(|(place, host)| place == victim || failed(host) == Some(1))
        };
        let noticed = interrupt::wait_until(Duration::from_mins(2), everybody)?;
        ensure!(
            noticed,
            "a crash was not noticed everywhere within two minutes"
        );
        times.add(begun.elapsed().as_secs_f64() * 1e3);
        swarm.host_mut(victim).start_agent()?;
        swarm.await_members(count)?;
    }
    drop(progress);
    percentiles(case, "crash_known", &times, figures);
    Ok(())
}

/// From the death of the leader until another manager has written a network.
pub(super) fn failovers(
    swarm: &mut Swarm,
    case: &str,
    managers: usize,
    rounds: u32,
    figures: &mut Figures,
) -> Result<()> {
    let mut times = Series::default();
    let mut progress = Progress::new(rounds.into());
    for round in 0..rounds {
        progress.step(&format!("{case}: the leader dies"));
        let mut leader = None;
        interrupt::wait_until(AGREED, || {
            leader = swarm.leader(0);
            leader.is_some()
        })?;
        let leader = leader.unwrap_or(0);
        let other = (leader + 1) % managers;
        swarm.host_mut(leader).kill_agent()?;
        let begun = Instant::now();
        let name = format!("failover{round}");
        let written = interrupt::wait_until(AGREED, || {
            swarm[other].overlay(&["network", "create", &name]).is_ok()
        })?;
        ensure!(written, "no other manager took over within {AGREED:?}");
        times.add(begun.elapsed().as_secs_f64() * 1e3);
        swarm.host_mut(leader).start_agent()?;
        swarm.await_members(swarm.hosts().len())?;
    }
    drop(progress);
    percentiles(case, "failover", &times, figures);
    Ok(())
}

fn failed(host: &overlay_tests::Host) -> Option<u64> {
    let status = host.api().get("/status").ok()?;
    status["cluster"]["gossip"]["failed"].as_u64()
}

/// The median with its runs, and the worst.
pub(super) fn percentiles(case: &str, metric: &str, times: &Series, figures: &mut Figures) {
    figures.many(case, &format!("{metric}_p50_ms"), "ms", times);
    if let Some(p99) = times.percentile(990) {
        figures.one(case, &format!("{metric}_p99_ms"), "ms", p99);
    }
}

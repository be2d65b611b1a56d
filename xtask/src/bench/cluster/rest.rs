//! What the agents take while nothing happens, and while endpoints come and go.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use overlay_tests::{Host, Namespace, Swarm, interrupt};
use serde_json::json;

use super::NETWORK;
use crate::bench::{
    agent_use::{processor_seconds, resident_megabytes},
    progress::Progress,
    report::Figures,
    statistics::Series,
};

/// How long the cluster may take to know all endpoints.
const KNOWN: Duration = Duration::from_mins(2);

/// Spreads endpoints over the hosts, then looks at the agents at rest and under churn.
pub(super) fn show(
    swarm: &Swarm,
    case: &str,
    endpoints: u32,
    seconds: u32,
    figures: &mut Figures,
) -> Result<()> {
    let crowd = spread(swarm, case, endpoints)?;
    await_claims(swarm, endpoints)?;
    figures.one(case, "endpoints", "", f64::from(endpoints));
    let look = Duration::from_secs(seconds.into());

    watch(swarm, case, "rest", figures, || Ok(interrupt::pause(look)?))?;
    watch(swarm, case, "churn", figures, || {
        let until = Instant::now() + look;
        while Instant::now() < until {
            for (host, namespace, name) in crowd.iter().take(swarm.hosts().len()) {
                detach(&swarm[*host], name)?;
                attach(&swarm[*host], namespace, name)?;
            }
        }
        Ok(())
    })
}

type Member = (usize, Namespace, String);

fn spread(swarm: &Swarm, case: &str, endpoints: u32) -> Result<Vec<Member>> {
    let mut progress = Progress::new(endpoints.into());
    let mut crowd = Vec::new();
    for number in 0..endpoints {
        progress.step(&format!("{case}: attaching"));
        let name = format!("e{number}");
        let place = number as usize % swarm.hosts().len();
        let namespace = swarm.session().bare_namespace(&name)?;
        attach(&swarm[place], &namespace, &name)?;
        crowd.push((place, namespace, name));
    }
    Ok(crowd)
}

fn attach(host: &Host, namespace: &Namespace, name: &str) -> Result<()> {
    let wish = json!({ "netns": namespace.path(), "network": NETWORK, "name": name });
    let attached = host.api().post("/endpoints", &wish);
    attached.map(drop).with_context(|| {
        let log = host.log_tail();
        format!("attaching {name}; the agent's log ends:\n{log}")
    })
}

fn detach(host: &Host, name: &str) -> Result<()> {
    let path = format!("/endpoints/{name}?network={NETWORK}");
    host.api().delete(&path).map(drop)
}

fn await_claims(swarm: &Swarm, endpoints: u32) -> Result<()> {
    let count = swarm.hosts().len();
    for (place, host) in swarm.hosts().iter().enumerate() {
        let own = (0..endpoints as usize)
            .filter(|number| number % count == place)
            .count();
        let others = u64::from(endpoints) - own as u64;
        let mut known = None;
        let all = interrupt::wait_until(KNOWN, || {
            let status = host.api().get("/status");
            known = status
                .ok()
                .and_then(|status| status["cluster"]["gossip"]["claims"].as_u64());
            known == Some(others)
        })?;
        ensure!(
            all,
            "host {} knows {known:?} of {others} endpoints",
            host.name()
        );
    }
    Ok(())
}

/// Memory after, and share of a processor during, `meanwhile`, over all agents.
fn watch(
    swarm: &Swarm,
    case: &str,
    name: &str,
    figures: &mut Figures,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let each = |measure: fn(&Host) -> Result<f64>| {
        swarm
            .hosts()
            .iter()
            .map(measure)
            .collect::<Result<Vec<f64>>>()
    };
    let before = each(processor_seconds)?;
    let begun = Instant::now();
    meanwhile()?;
    let elapsed = begun.elapsed().as_secs_f64();
    let after = each(processor_seconds)?;
    let shares: Series = before
        .iter()
        .zip(&after)
        .map(|(before, after)| (after - before) / elapsed * 100.0)
        .collect();
    let memory: Series = each(resident_megabytes)?.into_iter().collect();
    for (metric, unit, series) in [("cpu", "%", &shares), ("rss", "MB", &memory)] {
        figures.many(case, &format!("{name}_{metric}"), unit, series);
        if let Some((_, most)) = series.spread() {
            figures.one(case, &format!("{name}_{metric}_most"), unit, most);
        }
    }
    Ok(())
}

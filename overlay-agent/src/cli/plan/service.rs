//! What `overlay service …` asks for.

use std::time::Duration;

use super::{List, invalid};
use crate::{
    api::types::{ServiceCreate, ServiceUpdate},
    cli::{
        arguments::service::{
            HealthArguments, ServiceCreateArguments, ServiceUpdateArguments, ServiceVerb,
        },
        filter::{Filter, ServiceTerm},
        pair, publish,
    },
    model::{HealthCheck, HealthProbe, PortWish, PublishMode},
};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(3);
const RETRIES: u32 = 3;

#[derive(Debug)]
pub(in crate::cli) enum ServiceQuestion {
    List(List, Filter<ServiceTerm>),
    Inspect {
        services: Vec<String>,
        is_pretty: bool,
    },
    Create(ServiceCreate),
    Tasks {
        services: Vec<String>,
        list: List,
    },
    Update {
        service: String,
        request: ServiceUpdate,
    },
    Remove(Vec<String>),
}

pub(super) fn service(verb: ServiceVerb) -> Result<ServiceQuestion, clap::Error> {
    Ok(match verb {
        ServiceVerb::Ls {
            filter,
            quiet,
            no_trunc,
        } => ServiceQuestion::List(List::new(quiet, no_trunc), Filter(filter)),
        ServiceVerb::Inspect { services, pretty } => ServiceQuestion::Inspect {
            services,
            is_pretty: pretty,
        },
        ServiceVerb::Create(typed) => create(typed)?,
        ServiceVerb::Ps {
            no_trunc,
            quiet,
            services,
        } => ServiceQuestion::Tasks {
            services,
            list: List::new(quiet, no_trunc),
        },
        ServiceVerb::Update(typed) => update(typed)?,
        ServiceVerb::Rm { services } => ServiceQuestion::Remove(services),
    })
}

fn create(typed: ServiceCreateArguments) -> Result<ServiceQuestion, clap::Error> {
    const VERB: &[&str] = &["service", "create"];
    Ok(ServiceQuestion::Create(ServiceCreate {
        name: typed.name,
        networks: typed.network,
        mode: typed.endpoint_mode.into(),
        ports: ports(&typed.publish, VERB, "--publish")?,
        drain_s: seconds(typed.drain, VERB)?,
        health: health(&typed.health, VERB)?,
        labels: pair::by_name(typed.label),
        options: pair::by_name(typed.opt),
    }))
}

fn update(typed: ServiceUpdateArguments) -> Result<ServiceQuestion, clap::Error> {
    const VERB: &[&str] = &["service", "update"];
    let request = ServiceUpdate {
        add_networks: typed.network_add,
        remove_networks: typed.network_rm,
        add_ports: ports(&typed.publish_add, VERB, "--publish-add")?,
        remove_ports: patterns(&typed.publish_rm, VERB)?,
        add_labels: pair::by_name(typed.label_add),
        remove_labels: typed.label_rm.into_iter().collect(),
        mode: typed.endpoint_mode.map(Into::into),
        health: health(&typed.health, VERB)?,
        no_health: typed.no_healthcheck,
        drain_s: typed.drain.map(|drain| seconds(drain, VERB)).transpose()?,
        options: pair::by_name(typed.opt),
    };
    if request == ServiceUpdate::default() {
        let message = "nothing is to be changed; give --network-add, --network-rm, --publish-add, \
                       --publish-rm or another option";
        return Err(invalid(VERB, message.to_owned()));
    }
    let service = typed.service;
    Ok(ServiceQuestion::Update { service, request })
}

fn ports(texts: &[String], verb: &[&str], option: &str) -> Result<Vec<PortWish>, clap::Error> {
    publish::several(texts, PublishMode::Ingress)
        .map_err(|error| invalid(verb, format!("{option}: {error}")))
}

/// Ports to be taken away: one may be named twice.
fn patterns(texts: &[String], verb: &[&str]) -> Result<Vec<PortWish>, clap::Error> {
    let mut patterns = Vec::new();
    for text in texts {
        let parsed = publish::parse(text, PublishMode::Ingress);
        patterns.extend(parsed.map_err(|error| invalid(verb, format!("--publish-rm: {error}")))?);
    }
    patterns.dedup();
    Ok(patterns)
}

fn health(typed: &HealthArguments, verb: &[&str]) -> Result<Option<HealthCheck>, clap::Error> {
    let probe = match (typed.tcp, &typed.http) {
        (Some(port), _) => HealthProbe::Tcp { port },
        (None, Some(probe)) => HealthProbe::Http {
            port: probe.port,
            path: probe.path.clone(),
        },
        (None, None) => {
            let is_tuned =
                typed.interval.is_some() || typed.timeout.is_some() || typed.retries.is_some();
            if is_tuned {
                let message = "a health check needs --health-tcp or --health-http";
                return Err(invalid(verb, message.to_owned()));
            }
            return Ok(None);
        }
    };
    let milliseconds = |time: Duration, option: &str| {
        u32::try_from(time.as_millis())
            .map_err(|_too_long| invalid(verb, format!("{option}: it is too long")))
    };
    let interval = typed.interval.unwrap_or(INTERVAL);
    let timeout = typed.timeout.unwrap_or(TIMEOUT);
    Ok(Some(HealthCheck {
        probe,
        interval_ms: milliseconds(interval, "--health-interval")?,
        timeout_ms: milliseconds(timeout, "--health-timeout")?,
        retries: typed.retries.unwrap_or(RETRIES),
    }))
}

fn seconds(time: Duration, verb: &[&str]) -> Result<u32, clap::Error> {
    if time.subsec_nanos() > 0 {
        return Err(invalid(verb, "--drain: use whole seconds".to_owned()));
    }
    u32::try_from(time.as_secs())
        .map_err(|_too_long| invalid(verb, "--drain: it is too long".to_owned()))
}

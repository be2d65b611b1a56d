//! The comparison: every case for every subject, in alternating runs on an idle machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use overlay_tests::{Binaries, Session, Wiring, interrupt, static_config::Encap};

use super::{
    PACKAGES,
    case::{Case, Metric, Place, Workload},
    interruption,
    machine::{self, Placement},
    progress::Progress,
    report,
    statistics::Series,
    subject::{Name, Subject, docker},
};
use crate::{build::Need, packages};

/// What to compare, and how thoroughly.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Subjects to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Name::Host, Name::Kernel, Name::Overlay, Name::OverlayDevice])]
    subjects: Vec<Name>,

    /// Cases to measure; all unless given: tcp-1, tcp-8, udp-64, rr-udp, rr-tcp, rr-udp-32, cpu, and the same
    /// on one host with `local-` before.
    #[arg(long, value_delimiter = ',')]
    cases: Vec<Case>,

    /// Runs of each case for each subject.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Length of a run in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,

    /// Seconds to wait for an idle machine before each run, which is made and counted as busy otherwise.
    #[arg(long, default_value_t = 60)]
    patience: u32,

    /// Let sender and receiver run on any processor, instead of each on one of its own.
    #[arg(long)]
    unpinned: bool,

    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,

    /// Plot the figures into this file.
    #[arg(long)]
    svg: Option<PathBuf>,

    /// Measure Docker's overlay network too, with the engine that is installed.
    #[arg(long)]
    with_docker: bool,

    #[command(flatten)]
    need: Need,
}

/// All runs of one suite.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// By case and metric, then by subject.
    pub(crate) series: BTreeMap<(Case, Metric), BTreeMap<Name, Series>>,
    /// How many runs were made although the machine was not idle.
    pub(crate) busy_runs: u32,
}

/// What a suite runs.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    /// Cases to measure.
    pub(crate) cases: BTreeSet<Case>,
    /// Runs of each case for each subject.
    pub(crate) rounds: u32,
    /// Length of a run in seconds.
    pub(crate) seconds: u32,
    /// Seconds to wait for an idle machine before each run.
    pub(crate) patience: u32,
    /// Where the two ends of a run may be.
    pub(crate) placement: Placement,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let mut names: BTreeSet<Name> = options.subjects.iter().copied().collect();
    if options.with_docker {
        names.insert(Name::Docker);
    }
    if names.contains(&Name::Docker) {
        docker::require_engine()?;
        packages::ensure(&["busybox-static"], options.need.install())?;
    }
    packages::ensure(&PACKAGES, options.need.install())?;
    let ours = [Name::Overlay, Name::OverlayDevice, Name::Swarm]
        .iter()
        .any(|name| names.contains(name));
    let binaries = if ours {
        Some(super::build(&options.need)?)
    } else {
        None
    };

    let results = interruption::interruptible(|| measure(options, &names, binaries.as_ref()))?;

    println!("{}", report::table(&results));
    report::warn_of_busy_runs(results.busy_runs);
    if let Some(path) = &options.json {
        report::write_json(path, &report::records(&results))?;
    }
    if let Some(path) = &options.svg {
        report::write_plot(path, &results)?;
    }
    Ok(())
}

fn measure(
    options: &Options,
    names: &BTreeSet<Name>,
    binaries: Option<&Binaries>,
) -> Result<Results> {
    let session = Session::open("bench")?;
    let subjects = names
        .iter()
        .map(|name| bring_up(*name, &session, binaries))
        .collect::<Result<Vec<Subject>>>()?;
    let all: BTreeSet<Case> = Case::all().into_iter().collect();
    let asked: BTreeSet<Case> = options.cases.iter().copied().collect();
    let suite = Suite {
        cases: if asked.is_empty() { all } else { asked },
        rounds: options.rounds,
        seconds: options.seconds,
        patience: options.patience,
        placement: if options.unpinned {
            Placement::Anywhere
        } else {
            Placement::usual()
        },
    };
    println!("{}", machine::description(suite.placement));
    suite.run(&subjects, session.directory())
}

fn bring_up(name: Name, session: &Session, binaries: Option<&Binaries>) -> Result<Subject> {
    let wiring = Wiring::direct();
    let binaries = || binaries.context("BUG: the agent was not built");
    let overlay = |encap| Subject::overlay(session, wiring, encap, binaries()?);
    match name {
        Name::Host => Subject::host(session, wiring),
        Name::Kernel => Subject::kernel(session, wiring),
        Name::Overlay => overlay(Encap::Native),
        Name::OverlayDevice => overlay(Encap::Device),
        Name::Swarm => Subject::swarm(wiring, binaries()?),
        Name::Docker => Subject::docker(session, wiring),
    }
}

impl Suite {
    /// Makes all runs. In each round every workload is run for every subject, and the round's number decides
    /// which subject comes first.
    pub(crate) fn run(&self, subjects: &[Subject], directory: &Path) -> Result<Results> {
        let workloads: BTreeSet<(Place, Workload)> = self
            .cases
            .iter()
            .map(|case| (case.place, case.kind.workload()))
            .collect();
        let steps = workloads.len() * subjects.len() * self.rounds as usize;
        let mut progress = Progress::new(steps as u64);
        let mut results = Results::default();
        for round in 0..self.rounds as usize {
            for &(place, workload) in &workloads {
                for turn in 0..subjects.len() {
                    let subject = &subjects[(turn + round) % subjects.len()];
                    let what = workload_name(place, workload);
                    progress.step(&format!(
                        "round {} of {}: {what} for {}",
                        round + 1,
                        self.rounds,
                        subject.name
                    ));
                    self.take(subject, place, workload, directory, &mut results)?;
                }
            }
        }
        Ok(results)
    }

    fn take(
        &self,
        subject: &Subject,
        place: Place,
        workload: Workload,
        directory: &Path,
        results: &mut Results,
    ) -> Result<()> {
        interrupt::check()?;
        if !machine::wait_until_idle(self.patience)? {
            results.busy_runs += 1;
        }
        let route = self.placement.of(subject.route(place));
        for (kind, metric, value) in route.measure(workload, self.seconds, directory)? {
            let case = Case { place, kind };
            if self.cases.contains(&case) {
                results
                    .series
                    .entry((case, metric))
                    .or_default()
                    .entry(subject.name)
                    .or_default()
                    .add(value);
            }
        }
        Ok(())
    }
}

fn workload_name(place: Place, workload: Workload) -> String {
    match place {
        Place::Remote => workload.to_string(),
        Place::Local => format!("local-{workload}"),
    }
}

//! The machine that all subjects share: how busy its processors are.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result};
use overlay_tests::interrupt;

use super::measure::Route;

/// The kernel counts processor time for /proc/stat in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// Share of idle time that counts as an idle machine.
const IDLE: f64 = 0.9;

/// How long the machine must have been idle.
const LOOK: Duration = Duration::from_secs(1);

/// Processor time since boot, of all processors together, in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CpuTime {
    busy: f64,
    idle: f64,
    stolen: f64,
}

impl CpuTime {
    /// As the kernel has it now.
    pub(crate) fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("reading processor times")?;
        Self::parse(&text).context("/proc/stat does not begin with processor times")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut ticks = text
            .lines()
            .next()?
            .strip_prefix("cpu ")?
            .split_whitespace();
        let mut next = || ticks.next()?.parse::<f64>().ok();
        let (user, nice, system, idle) = (next()?, next()?, next()?, next()?);
        let (waiting, interrupts, soft_interrupts, stolen) = (next()?, next()?, next()?, next()?);
        Some(Self {
            busy: user + nice + system + interrupts + soft_interrupts,
            idle: idle + waiting,
            stolen,
        })
    }

    /// Seconds in which processors worked between `earlier` and this.
    pub(crate) fn busy_seconds_since(self, earlier: Self) -> f64 {
        (self.busy - earlier.busy) / TICKS_PER_SECOND
    }

    fn idle_share_since(self, earlier: Self) -> f64 {
        let idle = self.idle - earlier.idle;
        let all = idle + (self.busy - earlier.busy) + (self.stolen - earlier.stolen);
        if all > 0.0 { idle / all } else { 1.0 }
    }
}

/// Which processors the two ends of a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Each one of its own, like two machines; where the scheduler puts them decides much of a run otherwise.
    Apart,
    /// Any.
    Anywhere,
}

impl Placement {
    /// Apart where there are two processors.
    pub(crate) fn usual() -> Self {
        if processors() > 1 {
            Self::Apart
        } else {
            Self::Anywhere
        }
    }

    /// The two ends, placed.
    pub(crate) fn of(self, route: &Route) -> Route {
        match self {
            Self::Apart => route.pinned(),
            Self::Anywhere => route.clone(),
        }
    }
}

/// How many there are.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Waits until the machine was idle for a second, for `patience` seconds at most. False when it never was.
pub(crate) fn wait_until_idle(patience: u32) -> Result<bool> {
    for _ in 0..patience {
        let before = CpuTime::now()?;
        interrupt::pause(LOOK)?;
        if CpuTime::now()?.idle_share_since(before) > IDLE {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One line that says what the figures were taken on.
pub(crate) fn description(placement: Placement) -> String {
    let read = |path| {
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let placed = match placement {
        Placement::Apart => "sender pinned to the first and receiver to the second",
        Placement::Anywhere => "nothing pinned",
    };
    format!(
        "Linux {}, {} processors that also serve the soft interrupts, {placed}, TCP congestion control {}",
        read("/proc/sys/kernel/osrelease"),
        processors(),
        read("/proc/sys/net/ipv4/tcp_congestion_control"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_between_two_looks() {
        let before = CpuTime::parse("cpu  100 0 100 1000 0 0 0 0 0 0\ncpu0 …").expect("times");
        let after = CpuTime::parse("cpu  110 0 110 1070 10 0 0 0 0 0\n").expect("times");

        assert!((after.idle_share_since(before) - 0.8).abs() < 1e-9);
        assert!((after.busy_seconds_since(before) - 0.2).abs() < 1e-9);
    }
}

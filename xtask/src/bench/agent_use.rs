//! What an agent's process takes of its host.

use std::fs;

use anyhow::{Context, Result};
use overlay_tests::Host;

/// Clock ticks per second in /proc/PID/stat.
const TICKS_PER_SECOND: f64 = 100.0;

/// Positions of user and system time in /proc/PID/stat, counted from the state that follows the name.
const TIMES: [usize; 2] = [11, 12];

/// Memory of the agent's process that is resident, in units of 1 000 000 bytes.
pub(super) fn resident_megabytes(host: &Host) -> Result<f64> {
    let pid = pid(host)?;
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).context("reading the agent's memory")?;
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.trim().parse::<f64>().ok())
        .context("the agent's memory is not in /proc")?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// Processor time that the agent's process has taken so far, in seconds.
pub(super) fn processor_seconds(host: &Host) -> Result<f64> {
    let pid = pid(host)?;
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).context("reading the agent's times")?;
    parse(&stat).context("the agent's times are not in /proc")
}

fn parse(stat: &str) -> Option<f64> {
    // The name may hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = TIMES
        .iter()
        .map(|place| fields.get(*place)?.parse::<f64>().ok());
    Some(ticks.sum::<Option<f64>>()? / TICKS_PER_SECOND)
}

fn pid(host: &Host) -> Result<u32> {
    host.agent_pid().context("the agent does not run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "17 (a (b) c) S 1 17 17 0 -1 4194560 900 0 3 0 150 50 0 0 20 0 5 0 100 1000 200";

        assert_eq!(parse(stat), Some(2.0));
        assert_eq!(parse("17"), None);
    }
}

//! How services are balanced.

use std::time::Duration;

use super::{
    Services, Timeouts, duration,
    problem::{Problem, Refusal},
    typed,
};

/// The programs note the second in which a packet passed.
const SHORTEST: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

pub(super) fn check(typed: typed::Services) -> Result<Services, Refusal> {
    let timeouts = typed.timeouts;
    Ok(Services {
        socket_lb: typed.socket_lb.unwrap_or(true),
        packet_lb: typed.packet_lb.unwrap_or(true),
        timeouts: Timeouts {
            tcp: timeout("tcp", timeouts.tcp, 5 * DAY)?,
            tcp_closing: timeout("tcp_closing", timeouts.tcp_closing, 2 * MINUTE)?,
            udp: timeout("udp", timeouts.udp, 5 * MINUTE)?,
            sctp: timeout("sctp", timeouts.sctp, 5 * DAY)?,
            other: timeout("other", timeouts.other, MINUTE)?,
        },
    })
}

fn timeout(
    name: &str,
    typed: Option<typed::Scalar>,
    default: Duration,
) -> Result<Duration, Refusal> {
    let Some(typed::Scalar(text)) = typed else {
        return Ok(default);
    };
    let problem = match duration::parse(&text) {
        Some(timeout) if timeout >= SHORTEST => return Ok(timeout),
        Some(_) => Problem::ShortTimeout { text },
        None => Problem::NotADuration { text },
    };
    Err(problem.at_key(format!("services.timeouts.{name}")))
}

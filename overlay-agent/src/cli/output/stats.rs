//! Counters.

use super::table;
use crate::api::types::{DropCount, Stats};

/// Walks, then drops; reasons that never struck only `with_zeroes`.
pub(in crate::cli) fn stats(stats: &Stats, with_zeroes: bool) -> String {
    let walks = stats.walks.iter().map(|count| {
        vec![
            count.walk.clone(),
            count.packets.to_string(),
            count.bytes.to_string(),
        ]
    });
    let shown = |drop: &&DropCount| with_zeroes || drop.packets > 0;
    let drops = stats.drops.iter().filter(shown).map(|count| {
        vec![
            count.reason.clone(),
            count.packets.to_string(),
            count.bytes.to_string(),
            count.hint.clone(),
        ]
    });
    let lost = match stats.events_lost {
        0 => String::new(),
        lost => format!("\n{lost} events lost: nobody read them in time\n"),
    };
    let evicted = match stats.flows_evicted {
        0 => String::new(),
        evicted => format!(
            "\n{evicted} flows evicted: datapath.limits.flows is too small, the oldest made room\n"
        ),
    };
    let walks = table(["WALK", "PACKETS", "BYTES"], walks);
    let drops = table(["DROP REASON", "PACKETS", "BYTES", "HINT"], drops);
    format!("{walks}\n{drops}{lost}{evicted}")
}

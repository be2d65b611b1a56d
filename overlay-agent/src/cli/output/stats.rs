//! Counters.

use super::table;
use crate::api::types::{ControlCount, DropCount, Stats};

/// Walks, then drops, then the control plane; what never happened there only `with_zeroes`.
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
    let happened = |event: &&ControlCount| with_zeroes || event.count > 0;
    let control = stats.control.iter().filter(happened).map(|event| {
        vec![
            event.port.clone(),
            event.event.clone(),
            event.count.to_string(),
        ]
    });
    let control = if stats.control.is_empty() {
        String::new()
    } else {
        format!("\n{}", table(["PORT", "EVENT", "COUNT"], control))
    };
    let walks = table(["WALK", "PACKETS", "BYTES"], walks);
    let drops = table(["DROP REASON", "PACKETS", "BYTES", "HINT"], drops);
    format!("{walks}\n{drops}{control}{lost}")
}

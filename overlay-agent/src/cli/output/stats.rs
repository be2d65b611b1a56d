//! Counters.

use super::table;
use crate::api::types::{ControlCount, DropCount, NamesCount, Stats};

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
    let evicted = match stats.flows_evicted {
        0 => String::new(),
        evicted => format!(
            "\n{evicted} flows evicted: datapath.limits.flows is too small, the oldest made room\n"
        ),
    };
    let walks = table(["WALK", "PACKETS", "BYTES"], walks);
    let drops = table(["DROP REASON", "PACKETS", "BYTES", "HINT"], drops);
    let names = stats.names.map_or_else(String::new, |count| {
        format!("\n{}", names(count, with_zeroes))
    });
    format!("{walks}\n{drops}{control}{lost}{evicted}{names}")
}

/// What became of questions for names.
fn names(count: NamesCount, with_zeroes: bool) -> String {
    let rows = [
        ("queries", count.queries, "messages of containers"),
        ("answered", count.answered, "from what is known here"),
        ("forwarded", count.forwarded, "to other resolvers"),
        (
            "unanswered",
            count.unanswered,
            "by other resolvers, in time",
        ),
        ("overrun", count.overrun, "not forwarded: too many were"),
        (
            "refused",
            count.refused,
            "of nobody's container, or without a way out",
        ),
        ("malformed", count.malformed, "no DNS"),
        ("truncated", count.truncated, "cut to fit a datagram"),
        (
            "dropped",
            count.dropped,
            "not sent, or no room for the connection",
        ),
    ];
    let shown = rows
        .into_iter()
        .filter(|(_, number, _)| with_zeroes || *number > 0);
    let rows: Vec<_> = shown
        .map(|(name, number, hint)| vec![name.to_owned(), number.to_string(), hint.to_owned()])
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    table(["NAMES", "NUMBER", "HINT"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_for_names_are_shown_where_there_were_any() {
        let count = NamesCount {
            queries: 7,
            answered: 5,
            refused: 2,
            ..NamesCount::default()
        };
        let told = |names| {
            let stats = Stats {
                names,
                ..Stats::default()
            };
            super::stats(&stats, false)
        };

        let lines: Vec<String> = told(Some(count))
            .lines()
            .skip_while(|line| !line.starts_with("NAMES"))
            .map(|line| {
                line.split_whitespace()
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(
            lines,
            ["NAMES NUMBER", "queries 7", "answered 5", "refused 2"]
        );
        assert!(!told(Some(NamesCount::default())).contains("NAMES"));
        assert!(!told(None).contains("NAMES"));
    }
}

//! Dropped packets as they are dropped.

use std::net::IpAddr;

use super::{OutputError, lines, time};
use crate::{
    api::types::Event,
    cli::format::{Format, Template},
};

/// One event on a line of its own, in any format: a stream has neither header nor end.
pub(in crate::cli) fn event(event: &Event, format: &Format) -> Result<String, OutputError> {
    match format {
        Format::Table => Ok(text(event)),
        Format::Json => Ok(serde_json::to_string(event)? + "\n"),
        Format::Template(template) | Format::TableOf(template) => one(event, template),
    }
}

fn one(event: &Event, template: &Template) -> Result<String, OutputError> {
    lines(std::slice::from_ref(event), template)
}

/// `TIME PLACE REASON SOURCE -> DESTINATION LENGTH INTERFACE …`
fn text(event: &Event) -> String {
    let time = time::nanoseconds(event.unix_ns);
    let address =
        |address: Option<IpAddr>| address.map_or_else(|| "?".to_owned(), |a| a.to_string());
    let (source, destination) = (address(event.source), address(event.destination));
    let named = |key: &str, value: Option<&str>| value.map(|value| format!(" {key}={value}"));
    let endpoint = named("endpoint", event.endpoint.as_deref()).unwrap_or_default();
    let network = named("network", event.network.as_deref()).unwrap_or_default();
    let sample = if event.sample > 1 {
        format!(" sample=1/{}", event.sample)
    } else {
        String::new()
    };
    format!(
        "{time} {} {} {source} -> {destination} length={} interface={}{endpoint}{network}{sample}\n",
        event.place, event.reason, event.length, event.interface
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fake;

    #[test]
    fn a_line_tells_what_is_known() {
        let known = fake::event(7);
        let mut unknown = fake::event(8);
        unknown.source = None;
        unknown.endpoint = None;
        unknown.network = None;
        unknown.sample = 100;

        assert_eq!(
            event(&known, &Format::Table).unwrap(),
            "2025-11-22T15:00:00.000000007Z from_container no-route 10.1.0.2 -> 10.1.0.99 length=98 \
             interface=ov01 endpoint=web network=blue\n"
        );
        assert_eq!(
            event(&unknown, &Format::Table).unwrap(),
            "2025-11-22T15:00:00.000000008Z from_container no-route ? -> 10.1.0.99 length=98 \
             interface=ov01 sample=1/100\n"
        );
    }
}

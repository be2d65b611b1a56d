//! Answers as text for people, one noun per file; JSON and templates are the same for all of them.

mod audit;
mod check;
mod endpoint;
mod event;
mod explanation;
mod network;
mod node;
mod node_endpoint;
mod quantity;
mod service;
mod stats;
mod status;
mod swarm;
mod time;

pub(super) use audit::audit;
pub(super) use check::checks;
pub(super) use event::event;
pub(super) use explanation::explanation;
pub(super) use network::pruned;
pub(super) use node::nodes;
use serde::Serialize;
use serde_json::Value;
pub(super) use service::services;
pub(super) use stats::stats;
pub(super) use status::status;
pub(super) use swarm::{gossip_keys, join_way, swarm_initialized, swarm_joined};

use super::format::{Format, Template, TemplateError, table};

/// Why an answer cannot be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// The template does not fit the answer.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// BUG: an answer that is no JSON.
    #[error("BUG: the answer cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Something that lists have one row of.
pub(super) trait Row: Serialize {
    const HEADERS: &'static [&'static str];

    fn cells(&self, in_full: bool) -> Vec<String>;

    /// What `--quiet` prints.
    fn handle(&self, in_full: bool) -> String;

    /// What templates see in a list: where Docker has the same list, its fields are there as well, as
    /// it prints them.
    fn fields(&self, _in_full: bool) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

/// Digits of an identifier that Docker shows.
const SHORT: usize = 12;

fn short(id: &str, in_full: bool) -> String {
    if in_full {
        id.to_owned()
    } else {
        id.chars().take(SHORT).collect()
    }
}

/// The object with more fields, or others of the same name.
fn with_fields<const N: usize>(
    object: &impl Serialize,
    fields: [(&str, Value); N],
) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(object)?;
    if let Value::Object(all) = &mut value {
        let fields = fields.into_iter();
        all.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(value)
}

/// A list of rows in any format.
pub(super) fn rows<R: Row>(
    rows: &[R],
    format: &Format,
    in_full: bool,
) -> Result<String, OutputError> {
    let fields = || {
        let fields = rows.iter().map(|row| row.fields(in_full));
        fields.collect::<Result<Vec<Value>, _>>()
    };
    match format {
        Format::Table => Ok(aligned(rows, in_full)),
        Format::Json => json(rows),
        Format::Template(template) => lines(&fields()?, template),
        Format::TableOf(template) => columns(&fields()?, template),
    }
}

/// Names alone, one on a line.
pub(super) fn names(names: &[String]) -> String {
    names.iter().map(|name| name.clone() + "\n").collect()
}

/// Rows under their headers.
pub(super) fn aligned<R: Row>(rows: &[R], in_full: bool) -> String {
    let cells = rows.iter().map(|row| row.cells(in_full));
    table(R::HEADERS.iter().copied(), cells)
}

/// A list: text made by `as_text`, one JSON array, or a line for each object.
pub(super) fn list<T: Serialize>(
    objects: &[T],
    format: &Format,
    as_text: impl FnOnce(&[T]) -> String,
) -> Result<String, OutputError> {
    match format {
        Format::Table => Ok(as_text(objects)),
        Format::Json => json(objects),
        Format::Template(template) => lines(objects, template),
        Format::TableOf(template) => columns(objects, template),
    }
}

/// Names or identifiers alone, one on a line.
pub(super) fn handles<R: Row>(rows: &[R], in_full: bool) -> String {
    rows.iter().map(|row| row.handle(in_full) + "\n").collect()
}

/// One document: text made by `as_text`, JSON, or one line by a template.
pub(super) fn document<D: Serialize>(
    document: &D,
    format: &Format,
    as_text: impl FnOnce(&D) -> String,
) -> Result<String, OutputError> {
    match format {
        Format::Table => Ok(as_text(document)),
        Format::Json => json(document),
        Format::Template(template) => lines(std::slice::from_ref(document), template),
        Format::TableOf(template) => columns(std::slice::from_ref(document), template),
    }
}

/// One JSON document, indented.
fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, OutputError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// A template's text for each object.
pub(super) fn lines<T: Serialize>(
    objects: &[T],
    template: &Template,
) -> Result<String, OutputError> {
    let mut text = String::new();
    for object in objects {
        text.push_str(&template.render(&serde_json::to_value(object)?)?);
        text.push('\n');
    }
    Ok(text)
}

fn columns<T: Serialize>(objects: &[T], template: &Template) -> Result<String, OutputError> {
    let mut rows = Vec::with_capacity(objects.len());
    for object in objects {
        let line = template.render(&serde_json::to_value(object)?)?;
        rows.push(line.split('\t').map(str::to_owned).collect());
    }
    Ok(table(template.headers(), rows))
}

/// A name and a value of one document, one below the other.
fn fact(name: &str, value: &str) -> String {
    format!("{:<15} {value}\n", format!("{name}:"))
}

/// Values of a cell, or `-`.
fn joined<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    if texts.is_empty() {
        "-".to_owned()
    } else {
        texts.join(",")
    }
}

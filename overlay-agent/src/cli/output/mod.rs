//! Answers as text for people, one noun per file; JSON and templates are the same for all of them.

mod audit;
mod check;
mod endpoint;
mod event;
mod explanation;
mod network;
mod quantity;
mod stats;
mod status;
mod time;

pub(super) use audit::audit;
pub(super) use check::checks;
pub(super) use event::event;
pub(super) use explanation::explanation;
use serde::Serialize;
pub(super) use stats::stats;
pub(super) use status::status;

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

/// Values of a cell, or `-`.
fn joined<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    if texts.is_empty() {
        "-".to_owned()
    } else {
        texts.join(",")
    }
}

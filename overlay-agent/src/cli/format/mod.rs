//! How answers are printed: tables, JSON, templates.

mod table;
mod template;

pub(super) use table::table;
pub(super) use template::{Template, TemplateError};

/// What `--format` asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Format {
    /// Aligned columns.
    Table,
    /// One JSON document.
    Json,
    /// A line for each object.
    Template(Template),
    /// Aligned columns of one's own.
    TableOf(Template),
}

impl Format {
    /// Reads `table`, `json`, `TEMPLATE` or `table TEMPLATE`.
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        match text.trim() {
            "table" => return Ok(Self::Table),
            "json" => return Ok(Self::Json),
            _ => {}
        }
        match text.strip_prefix("table ") {
            Some(template) => Template::parse(template).map(Self::TableOf),
            None => Template::parse(text).map(Self::Template),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_templates_are_told_apart() {
        let template = |text| Template::parse(text).unwrap();

        assert_eq!(Format::parse("table"), Ok(Format::Table));
        assert_eq!(Format::parse("json"), Ok(Format::Json));
        assert_eq!(
            Format::parse("{{.ID}}"),
            Ok(Format::Template(template("{{.ID}}")))
        );
        assert_eq!(
            Format::parse(r"table {{.ID}}\t{{.Name}}"),
            Ok(Format::TableOf(template("{{.ID}}\t{{.Name}}")))
        );
        assert!(Format::parse("yaml").is_err());
    }
}

//! The part of Go's templates that people use with `--format`: text, `{{.Field}}`, `{{.Outer.Inner}}`,
//! `{{json .Field}}`, and the escapes `\t` and `\n`.

use serde_json::Value;

/// A template, read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) struct Template(Vec<Part>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    /// The value at a path of fields; empty: the object itself.
    Plain(Vec<String>),
    /// The same as JSON.
    Json(Vec<String>),
}

/// Why a template cannot be used.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::cli) enum TemplateError {
    /// Neither a known word nor a template.
    #[error("`{text}` is no format; use table, json or a template like '{{{{.Name}}}}'")]
    NoAction {
        /// What was given.
        text: String,
    },
    /// A `{{` without its end.
    #[error("`{{{{{text}` is not closed; end it with }}}}")]
    NotClosed {
        /// What follows the braces.
        text: String,
    },
    /// Something between braces that is not understood.
    #[error(
        "`{{{{{action}}}}}` is not supported; use {{{{.Field}}}}, {{{{.Outer.Inner}}}} or \
         {{{{json .Field}}}}"
    )]
    Unsupported {
        /// What stands between the braces.
        action: String,
    },
    /// A field that the object does not have.
    #[error("there is no field `.{field}`; there are {known}")]
    NoField {
        /// What was asked for.
        field: String,
        /// What there is.
        known: String,
    },
}

impl Template {
    pub(in crate::cli) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            parts.extend(literal(before));
            let Some((action, next)) = after.split_once("}}") else {
                let text = after.to_owned();
                return Err(TemplateError::NotClosed { text });
            };
            parts.push(Part::action(action)?);
            rest = next;
        }
        if parts.is_empty() {
            let text = text.to_owned();
            return Err(TemplateError::NoAction { text });
        }
        parts.extend(literal(rest));
        Ok(Self(parts))
    }

    /// The text for one object.
    pub(in crate::cli) fn render(&self, object: &Value) -> Result<String, TemplateError> {
        let texts: Result<Vec<String>, TemplateError> =
            self.0.iter().map(|part| part.render(object)).collect();
        Ok(texts?.concat())
    }

    /// Column headers: the fields' names in capitals.
    pub(in crate::cli) fn headers(&self) -> Vec<String> {
        let texts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Plain(path) | Part::Json(path) => path
                .last()
                .map_or_else(|| "JSON".to_owned(), |field| capitals(field)),
        });
        let line: String = texts.collect();
        line.split('\t').map(str::to_owned).collect()
    }
}

fn literal(text: &str) -> Option<Part> {
    let unescaped = text.replace(r"\t", "\t").replace(r"\n", "\n");
    (!text.is_empty()).then_some(Part::Text(unescaped))
}

impl Part {
    fn action(action: &str) -> Result<Self, TemplateError> {
        let unsupported = || TemplateError::Unsupported {
            action: action.to_owned(),
        };
        let mut words = action.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(field), None, _) => Ok(Self::Plain(path(field).ok_or_else(unsupported)?)),
            (Some("json"), Some(field), None) => {
                Ok(Self::Json(path(field).ok_or_else(unsupported)?))
            }
            (Some(_), Some(_), _) | (None, ..) => Err(unsupported()),
        }
    }

    fn render(&self, object: &Value) -> Result<String, TemplateError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Plain(path) => find(object, path).map(plain),
            Self::Json(path) => find(object, path).map(ToString::to_string),
        }
    }
}

/// `.A.B` as its fields, `.` as none.
fn path(text: &str) -> Option<Vec<String>> {
    let fields = text.strip_prefix('.')?;
    if fields.is_empty() {
        return Some(Vec::new());
    }
    let is_field = |field: &str| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !field.is_empty() && field.chars().all(is_word)
    };
    let all: Vec<String> = fields.split('.').map(str::to_owned).collect();
    all.iter().all(|field| is_field(field)).then_some(all)
}

fn find<'a>(object: &'a Value, path: &[String]) -> Result<&'a Value, TemplateError> {
    path.iter().try_fold(object, |value, field| {
        let Value::Object(fields) = value else {
            return Err(no_field(field, std::iter::empty()));
        };
        let mut named = fields.iter();
        let found = named.find(|(key, _)| folded(key) == folded(field));
        found
            .map(|(_, value)| value)
            .ok_or_else(|| no_field(field, fields.keys().map(String::as_str)))
    })
}

/// `HostInterface`, `host_interface` and `hostinterface` are one field.
fn folded(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

fn no_field<'a>(field: &str, known: impl Iterator<Item = &'a str>) -> TemplateError {
    let names: Vec<String> = known.map(|key| format!(".{}", camel(key))).collect();
    TemplateError::NoField {
        field: field.to_owned(),
        known: if names.is_empty() {
            "none below a plain value".to_owned()
        } else {
            names.join(" ")
        },
    }
}

fn camel(key: &str) -> String {
    let words = key.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

/// `HostInterface` and `host_interface` become `HOST INTERFACE`, `IPv4` stays one word.
fn capitals(field: &str) -> String {
    let mut text = String::new();
    let mut before = ' ';
    for c in field.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            text.push(' ');
        }
        text.push(if c == '_' {
            ' '
        } else {
            c.to_ascii_uppercase()
        });
        before = c;
    }
    text
}

/// Text without quotes, nothing for what is absent, lists of plain values as Go prints them.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.iter().all(|v| !v.is_object() && !v.is_array()) => {
            let texts: Vec<String> = values.iter().map(plain).collect();
            format!("[{}]", texts.join(" "))
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "name": "web",
            "host_ifindex": 7,
            "ipv4": "10.1.0.2/24",
            "ipv6": null,
            "subnets": ["10.1.0.0/24", "fd00::/64"],
            "namespace": {"inode": 42},
            "peers": [{"name": "b"}],
        })
    }

    fn render(text: &str) -> Result<String, TemplateError> {
        Template::parse(text)?.render(&object())
    }

    #[test]
    fn fields_are_found_however_they_are_spelt() {
        for (template, text) in [
            ("{{.Name}}", "web"),
            ("{{ .name }}", "web"),
            ("{{.HostIfindex}} {{.host_ifindex}}", "7 7"),
            ("{{.IPv4}}", "10.1.0.2/24"),
            ("<{{.IPv6}}>", "<>"),
            ("{{.Namespace.Inode}}", "42"),
            ("{{.Subnets}}", "[10.1.0.0/24 fd00::/64]"),
            ("{{.Peers}}", r#"[{"name":"b"}]"#),
            ("{{json .Name}}", r#""web""#),
            ("{{json .Namespace}}", r#"{"inode":42}"#),
            (r"{{.Name}}\t{{.Host_Ifindex}}\n.", "web\t7\n."),
        ] {
            assert_eq!(render(template).as_deref(), Ok(text), "{template}");
        }
        assert_eq!(render("{{json .}}"), Ok(object().to_string()));
    }

    #[test]
    fn the_rest_is_refused_with_a_way_out() {
        for (template, message) in [
            (
                "xml",
                "`xml` is no format; use table, json or a template like '{{.Name}}'",
            ),
            ("{{.Name", "`{{.Name` is not closed; end it with }}"),
            (
                "{{range .Peers}}",
                "`{{range .Peers}}` is not supported; use {{.Field}}, {{.Outer.Inner}} or \
                 {{json .Field}}",
            ),
            (
                "{{..}}",
                "`{{..}}` is not supported; use {{.Field}}, {{.Outer.Inner}} or {{json .Field}}",
            ),
            (
                "{{}}",
                "`{{}}` is not supported; use {{.Field}}, {{.Outer.Inner}} or {{json .Field}}",
            ),
            (
                "{{.Label}}",
                "there is no field `.Label`; there are .HostIfindex .Ipv4 .Ipv6 .Name .Namespace \
                 .Peers .Subnets",
            ),
            (
                "{{.Name.First}}",
                "there is no field `.First`; there are none below a plain value",
            ),
        ] {
            assert_eq!(render(template).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn headers_are_the_fields_in_capitals() {
        let template =
            Template::parse(r"{{.ID}}\t{{.HostInterface}}\t{{.host_ifindex}}\t{{json .}}");

        let headers = template.unwrap().headers();

        assert_eq!(headers, ["ID", "HOST INTERFACE", "HOST IFINDEX", "JSON"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[{}.a-z \\\\]{0,20}") {
            let rendered = render(&text);
            drop(rendered);
        }
    }
}

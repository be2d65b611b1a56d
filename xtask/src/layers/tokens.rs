//! Rust source as words and signs, without comments, strings and characters.

/// A word or a sign, with its line (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) text: String,
}

impl Token {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(is_in_word)
    }
}

/// Splits `source`. `::` is one sign; each other sign is a character of its own.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (length, is_token) = match skipped(rest) {
            Some(length) => (length, false),
            None if is_in_word(first) => (word(rest), true),
            None if rest.starts_with("::") => (2, true),
            None => (first.len_utf8(), !first.is_whitespace()),
        };
        let (text, after) = rest.split_at(length);
        if is_token {
            let text = text.to_owned();
            tokens.push(Token { line, text });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The length of the comment, string, character or lifetime that `rest` starts with.
fn skipped(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if let Some(after) = rest.strip_prefix('\'') {
        return Some(1 + character_or_lifetime(after));
    }
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let (prefix, after) = rest.split_at(prefix);
    match prefix {
        "" | "b" | "c" => {
            let text = after.strip_prefix('"')?;
            Some(prefix.len() + 1 + ended_by(text, '"'))
        }
        "r" | "br" | "cr" => {
            let hashes = after.len() - after.trim_start_matches('#').len();
            let text = after[hashes..].strip_prefix('"')?;
            let end = format!("\"{}", &after[..hashes]);
            let length = text.find(&end).map_or(text.len(), |at| at + end.len());
            Some(prefix.len() + hashes + 1 + length)
        }
        _ => None,
    }
}

/// The length of a comment, which may hold others.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of what follows an apostrophe: `x'`, `\n'`, or the name of a lifetime.
fn character_or_lifetime(after: &str) -> usize {
    let mut characters = after.chars();
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => ended_by(after, '\''),
        (Some(character), Some('\'')) => character.len_utf8() + 1,
        _ => word(after),
    }
}

/// The length up to and with the first `end` that no backslash precedes.
fn ended_by(text: &str, end: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if character == end {
            return at + character.len_utf8();
        }
    }
    text.len()
}

fn word(rest: &str) -> usize {
    rest.find(|c| !is_in_word(c)).unwrap_or(rest.len())
}

fn is_in_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let tokens = tokens(source).into_iter();
        tokens.map(|token| token.text).collect()
    }

    #[test]
    fn words_and_signs_are_kept() {
        assert_eq!(
            texts("use crate::{a, b_1};"),
            ["use", "crate", "::", "{", "a", ",", "b_1", "}", ";"]
        );
    }

    #[test]
    fn comments_and_strings_are_left_out() {
        let source = concat!(
            "a // unsafe\n",
            "/* unsafe /* unsafe */ unsafe */ b \"unsafe \\\" unsafe\" c\n",
            "r#\"unsafe \" unsafe\"# d b\"unsafe\" e br\"unsafe\\\" f",
        );

        assert_eq!(texts(source), ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        let source = r"a '\'' b '{' c &'static d '\u{1F}' e 'x: f r#type";

        assert_eq!(
            texts(source),
            ["a", "b", "c", "&", "d", "e", ":", "f", "r", "#", "type"]
        );
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let tokens = tokens("a\n/*\n*/ \"\n\n\" b");

        let lines: Vec<usize> = tokens.iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 5]);
    }
}

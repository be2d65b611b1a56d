//! One test for each reason to refuse a configuration, with the words that a user reads.

mod addresses;
mod dns;
mod networks;
mod nodes;
mod numbers;
mod syntax;

use super::{parse, told};

/// Asserts the whole message.
#[track_caller]
fn refused(text: &str, message: &str) {
    let error = parse(text).expect_err("must be refused");
    assert_eq!(told(&error), message);
}

/// Asserts a message of the YAML reader by its parts.
#[track_caller]
fn misread(text: &str, parts: &[&str]) {
    let error = told(&parse(text).expect_err("must be refused"));
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

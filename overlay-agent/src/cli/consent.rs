//! Asking before something is lost.

use std::io::{self, BufRead, IsTerminal as _, Write};

use anyhow::{Context as _, bail};

/// Asks on the terminal whether to go on.
///
/// # Errors
/// The answer is not yes, or nobody is there to answer.
pub(super) fn ask(warning: &str) -> anyhow::Result<()> {
    let stdin = io::stdin();
    let is_terminal = stdin.is_terminal();
    ask_at(
        is_terminal,
        warning,
        &mut stdin.lock(),
        &mut io::stderr().lock(),
    )
}

fn ask_at(
    is_terminal: bool,
    warning: &str,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> anyhow::Result<()> {
    if !is_terminal {
        bail!("nobody is there to be asked: standard input is no terminal; use --force to go on");
    }
    if is_given(warning, input, output).context("ask on the terminal")? {
        Ok(())
    } else {
        bail!("cancelled; nothing was changed")
    }
}

/// Only a word for yes is one; an empty line and the end of input are a no.
fn is_given(warning: &str, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    write!(
        output,
        "WARNING! {warning}\nAre you sure you want to continue? [y/N] "
    )?;
    output.flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    let answer = line.trim().to_ascii_lowercase();
    Ok(matches!(answer.as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_nobody_is_asked() {
        let mut shown = Vec::new();

        let refused = ask_at(false, "This ends.", &mut &b"y\n"[..], &mut shown).unwrap_err();
        let cancelled = ask_at(true, "This ends.", &mut &b"n\n"[..], &mut Vec::new()).unwrap_err();
        let given = ask_at(true, "This ends.", &mut &b"y\n"[..], &mut Vec::new());

        assert!(shown.is_empty());
        assert!(refused.to_string().contains("use --force"));
        assert_eq!(cancelled.to_string(), "cancelled; nothing was changed");
        assert!(given.is_ok());
    }

    #[test]
    fn only_yes_is_yes() {
        for (typed, is_yes) in [
            ("y\n", true),
            ("Y\n", true),
            (" yes \n", true),
            ("n\n", false),
            ("\n", false),
            ("", false),
            ("yellow\n", false),
        ] {
            let mut shown = Vec::new();

            let given = is_given("This ends.", &mut typed.as_bytes(), &mut shown).unwrap();

            assert_eq!(given, is_yes, "{typed:?}");
            assert_eq!(
                String::from_utf8(shown).unwrap(),
                "WARNING! This ends.\nAre you sure you want to continue? [y/N] "
            );
        }
    }
}

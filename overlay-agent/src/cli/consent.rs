//! Asking before something is lost.

use std::io::{self, BufRead, IsTerminal as _, Write};

use anyhow::{Context as _, bail};

/// Asks on the terminal whether to go on.
///
/// # Errors
/// The answer is not yes, or nobody is there to answer.
pub(super) fn ask(warning: &str) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        bail!("nobody is there to be asked: standard input is no terminal; use --force to go on");
    }
    let asked = is_given(warning, &mut io::stdin().lock(), &mut io::stderr().lock());
    if asked.context("ask on the terminal")? {
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

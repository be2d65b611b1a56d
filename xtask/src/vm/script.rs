//! The script that a guest runs once its root is there.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use super::Guest;

const START: &[u8] = include_bytes!("start.sh");
const END: &[u8] = include_bytes!("end.sh");

/// Beginnings of the names of variables that the command gets from us.
const PASSED_ON: [&str; 3] = ["CARGO_TARGET_DIR", "OVERLAY_", "RUST_"];

/// The tag of the share with this number.
pub(super) fn tag(share: usize) -> String {
    format!("share{share}")
}

/// Writes the script: what all guests do, the directories to share, the command, and the end.
pub(super) fn script(guest: &Guest) -> Vec<u8> {
    let mut script = START.to_vec();
    for (number, share) in guest.shares.iter().enumerate() {
        line(
            &mut script,
            &["share".as_ref(), tag(number).as_ref(), share.as_ref()],
        );
    }
    for (name, value) in env::vars_os() {
        if PASSED_ON
            .iter()
            .any(|start| name.as_bytes().starts_with(start.as_bytes()))
        {
            let mut assignment = name;
            assignment.push("=");
            assignment.push(value);
            line(&mut script, &["export".as_ref(), &assignment]);
        }
    }
    line(&mut script, &["cd".as_ref(), guest.directory.as_ref()]);
    let mut words: Vec<&OsStr> = vec!["run".as_ref()];
    words.extend(guest.command.iter().map(OsString::as_os_str));
    line(&mut script, &words);
    script.extend_from_slice(END);
    script
}

fn line(script: &mut Vec<u8>, words: &[&OsStr]) {
    for (number, word) in words.iter().enumerate() {
        if number > 0 {
            script.push(b' ');
        }
        script.extend_from_slice(quoted(word).as_bytes());
    }
    script.push(b'\n');
}

/// `word` as the shell reads it back unchanged.
fn quoted(word: &OsStr) -> OsString {
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            other => quoted.push(*other),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        let mut script = Vec::new();

        line(
            &mut script,
            &["run".as_ref(), "it's $HOME".as_ref(), "".as_ref()],
        );

        assert_eq!(script, b"'run' 'it'\\''s $HOME' ''\n");
    }

    #[test]
    fn the_command_comes_between_start_and_end() {
        let guest = Guest::new("6.1", vec!["uname".into(), "-r".into()]);

        let script = String::from_utf8(script(&guest)).expect("text");

        let command = script.find("'run' 'uname' '-r'\n").expect("the command");
        assert!(script.starts_with("# ") && script.find("sysrq").expect("the end") > command);
    }
}

//! Which names the kernel takes for an interface.

use super::Error;

/// Bytes of a name without its terminator.
const LONGEST: usize = 15;

/// Fails unless an interface can have exactly this name. The kernel would cut or reject most other
/// names without saying why, and would fill in a number for `%d`.
pub fn check_name(name: &str) -> Result<(), Error> {
    let is_allowed = |byte: u8| !byte.is_ascii_whitespace() && !b"/:%\x0b\0".contains(&byte);
    let is_valid = (1..=LONGEST).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(is_allowed);
    if is_valid {
        Ok(())
    } else {
        Err(Error::InvalidName {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_at_most_fifteen_plain_bytes() {
        for name in ["a", "eth0", "ov0123456789abc", "eth0.100", "lan-1"] {
            check_name(name).expect(name);
        }
        for name in [
            "",
            ".",
            "..",
            "ov0123456789abcd",
            "a b",
            "a/b",
            "a:b",
            "eth%d",
            "a\u{b}b",
        ] {
            let error = check_name(name).expect_err(name).to_string();
            assert!(error.starts_with(&format!("`{name}`")), "{error}");
        }
    }
}

//! How long a file may be.

use super::Finding;

const WISHED: usize = 400;
const ALLOWED: usize = 600;

/// What to say of a file that is too long for comfort, but allowed.
pub(super) fn warning(lines: usize) -> Option<String> {
    (lines > WISHED && lines <= ALLOWED)
        .then(|| format!("warning: {lines} lines; split it by subject (wished: {WISHED} at most)"))
}

pub(super) fn findings(lines: usize) -> Vec<Finding> {
    if lines <= ALLOWED {
        return Vec::new();
    }
    vec![Finding {
        line: ALLOWED + 1,
        what: format!("{lines} lines; split it by subject ({ALLOWED} at most)"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_warned_of_and_a_longer_one_refused() {
        assert_eq!((warning(400), findings(400).len()), (None, 0));
        assert!(warning(401).is_some() && findings(600).is_empty());
        assert!(warning(601).is_none() && findings(601).len() == 1);
    }
}

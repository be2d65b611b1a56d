//! Results of tests, added up from what test programs print.

/// How many tests passed, failed, and were not run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds the line's numbers if it is the last one of a test program:
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; …`.
    pub(super) fn add_line(&mut self, line: &str) {
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|result| result.split_once(". "))
        else {
            return;
        };
        for count in counts.split(';') {
            let Some((number, name)) = count.trim().split_once(' ') else {
                continue;
            };
            let number: u64 = number.parse().unwrap_or(0);
            match name {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Adds another one's numbers.
    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Counts a test program that ended without a result of its own.
    pub(super) fn add_failure(&mut self) {
        self.failed += 1;
    }

    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    pub(super) fn ignored(&self) -> u64 {
        self.ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up() {
        let mut tally = Tally::default();

        for line in [
            "running 7 tests",
            "test a ... ok",
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            tally.add_line(line);
        }

        let expected = Tally {
            passed: 6,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(tally, expected);
    }

    #[test]
    fn what_ran_side_by_side_counts_together() {
        let mut tally = Tally::default();
        tally.add_line("test result: ok. 5 passed; 0 failed; 1 ignored");
        let mut other = Tally::default();
        other.add_line("test result: FAILED. 1 passed; 2 failed; 0 ignored");
        other.add_failure();

        tally.add(&other);

        let expected = Tally {
            passed: 6,
            failed: 3,
            ignored: 1,
        };
        assert_eq!(tally, expected);
    }

    #[test]
    fn other_lines_count_for_nothing() {
        let mut tally = Tally::default();

        tally.add_line("test result of mine: 5 passed; 5 failed");
        tally.add_line("note: 3 failed");

        assert_eq!(tally, Tally::default());
    }
}

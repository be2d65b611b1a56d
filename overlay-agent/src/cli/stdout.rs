//! Standard output that may be closed at any time.

use std::io::{self, Write as _};

/// Prints text as it is. A reader that went away is no error: it had enough.
pub(super) fn print(text: &str) -> io::Result<Printed> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Ok(()) => Ok(Printed::All),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Printed::NobodyReads),
        Err(error) => Err(error),
    }
}

/// Whether there is a point in printing more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Printed {
    All,
    NobodyReads,
}

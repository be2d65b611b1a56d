//! The kernel's limit on neighbour entries, which all network namespaces of a host share.
//!
//! At 1024 entries, the usual limit, a thousand containers that talk to one another fill the table, and
//! new connections fail at random. The limit only bounds memory that is really used.

use std::{fs, io, path::Path};

use tracing::{info, warn};

/// Where the limits of a family are. Only a host's first network namespace has them.
const FAMILIES: [&str; 2] = [
    "/proc/sys/net/ipv4/neigh/default",
    "/proc/sys/net/ipv6/neigh/default",
];

/// Least values, the hard limit first: each must stay below the one before it.
const LIMITS: [(&str, u64); 3] = [
    ("gc_thresh3", 1 << 20),
    ("gc_thresh2", 1 << 19),
    ("gc_thresh1", 1 << 16),
];

/// Raises the limits that are lower; never lowers one. Elsewhere than in the first namespace there is
/// nothing to raise.
pub(super) fn raise() {
    for family in FAMILIES {
        if let Err(error) = raise_family(Path::new(family)) {
            let error: &dyn std::error::Error = &error;
            warn!(error, family, "the neighbour table stays as small as it is");
        }
    }
}

fn raise_family(directory: &Path) -> io::Result<()> {
    for (name, least) in LIMITS {
        let path = directory.join(name);
        let Some(now) = read(&path)? else {
            return Ok(());
        };
        if now < least {
            fs::write(&path, least.to_string())?;
            info!(limit = %path.display(), from = now, to = least, "raised");
        }
    }
    Ok(())
}

/// The limit on entries, if this namespace shows it.
pub(super) fn hard_limit() -> Option<u64> {
    let path = Path::new(FAMILIES[0]).join(LIMITS[0].0);
    read(&path).ok().flatten()
}

fn read(path: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(limits: [u64; 3]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for ((name, _), limit) in LIMITS.iter().zip(limits) {
            fs::write(directory.path().join(name), format!("{limit}\n")).unwrap();
        }
        directory
    }

    fn limits(directory: &Path) -> [u64; 3] {
        LIMITS.map(|(name, _)| read(&directory.join(name)).unwrap().unwrap())
    }

    #[test]
    fn low_limits_are_raised_and_high_ones_stay() {
        let usual = family([1024, 512, 128]);
        let generous = family([1 << 22, 512, 1 << 17]);

        raise_family(usual.path()).unwrap();
        raise_family(generous.path()).unwrap();

        assert_eq!(limits(usual.path()), [1 << 20, 1 << 19, 1 << 16]);
        assert_eq!(limits(generous.path()), [1 << 22, 1 << 19, 1 << 17]);
    }

    #[test]
    fn a_namespace_without_limits_is_left_alone() {
        let nothing = tempfile::tempdir().unwrap();

        raise_family(nothing.path()).unwrap();
    }
}

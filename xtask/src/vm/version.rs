//! The order of versions: `6.1.0-9` comes before `6.1.0-56`.

/// A piece of a version. Text comes before numbers, and numbers compare by value.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    /// Anything but digits.
    Text(String),
    /// Digits.
    Number(u64),
}

/// Splits `version` into pieces that compare in the right order.
pub(crate) fn pieces(version: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_number);
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        pieces.push(match piece.parse() {
            Ok(number) => Piece::Number(number),
            Err(_) => Piece::Text(piece.to_owned()),
        });
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut versions = [
            "6.12.117+deb12",
            "6.12.9+deb12",
            "6.12.101+deb12",
            "6.1.0-9",
            "6.1.0-56",
        ];

        versions.sort_by_key(|version| pieces(version));

        assert_eq!(
            versions,
            [
                "6.1.0-9",
                "6.1.0-56",
                "6.12.9+deb12",
                "6.12.101+deb12",
                "6.12.117+deb12"
            ]
        );
    }
}

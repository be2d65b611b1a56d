//! Encryption on the underlay: by which marks packets of encrypted networks are told.

use super::{
    problem::{Problem, Refusal},
    typed,
};
use crate::model::EncryptionMark;

const MARK: &str = "encryption.mark";

/// How networks are encrypted on the underlay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EncryptionSettings {
    /// Our part of packets' marks.
    pub mark: EncryptionMark,
}

pub(super) fn check(typed: &typed::Encryption) -> Result<EncryptionSettings, Refusal> {
    let mark = match typed.mark {
        None => EncryptionMark::default(),
        Some(number) => mark(number).ok_or_else(|| Problem::NotAMark { number }.at_key(MARK))?,
    };
    Ok(EncryptionSettings { mark })
}

fn mark(number: u64) -> Option<EncryptionMark> {
    EncryptionMark::new(u32::try_from(number).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(mark: Option<u64>) -> Result<u32, String> {
        let settings = check(&typed::Encryption { mark });
        let settings = settings.map_err(|refusal| refusal.problem.to_string())?;
        Ok(settings.mark.outbound())
    }

    #[test]
    fn a_mark_is_one_byte_at_the_top() {
        assert_eq!(checked(None), Ok(0xe500_0000));
        assert_eq!(checked(Some(0x0700_0000)), Ok(0x0700_0000));
        for number in [0, 1, 0xe500_0001, 0x01_0000_0000] {
            let refused = checked(Some(number)).unwrap_err();

            assert!(refused.contains("0xe5000000"), "{refused}");
        }
    }
}

//! The label that a person gives a package.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A label that a peer accepts: `^[[:alnum:]][[:alnum:]_.+-]*$`, of any length (Fabric
/// `core/chaincode/persistence/chaincode_package.go`, `LabelRegexp`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Label(String);

/// Why a text is no label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid label `{}`: a label begins with an ASCII letter or digit and goes on with letters, \
     digits and `_ . + -`", .0.escape_debug()
)]
pub struct InvalidLabel(String);

impl Label {
    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, InvalidLabel> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let goes_on =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte));
        if begins && goes_on {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidLabel(text.to_owned()))
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_fabric() {
        for good in ["basic_1.0", "A", "0", "a+b-c.d_e", &"x".repeat(300)] {
            assert_eq!(good.parse::<Label>().unwrap().as_str(), good);
        }
        for bad in ["", "_a", ".a", "a b", "a:b", "a/b", "é", "a\n", "aé"] {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
    }
}

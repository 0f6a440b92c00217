//! Which chaincode an override is for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

/// Which chaincode on which peer an override is for: all that is said must fit. In each, `*` stands
/// for any text and `?` for any character.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1))]
pub struct Match {
    /// The chaincode's label, such as `basic_*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub label: Option<String>,
    /// The organisation's MSP ID, such as `Org1MSP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub msp: Option<String>,
    /// The peer's name, such as `peer-0*`: by default that of its StatefulSet's pod, or of its
    /// Deployment; the launcher's `--peer-name` on the `local` backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub peer: Option<String>,
}

/// A chaincode on a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The chaincode's label.
    pub label: String,
    /// The organisation's MSP ID.
    pub msp: String,
    /// The peer's name.
    pub peer: String,
}

impl Match {
    /// Whether the override is for this one.
    pub fn fits(&self, subject: &Subject) -> bool {
        self.fits_label(&subject.label)
            && fits(self.msp.as_deref(), &subject.msp)
            && fits(self.peer.as_deref(), &subject.peer)
    }

    /// Whether the override is for chaincode with this label, on some peer.
    pub fn fits_label(&self, label: &str) -> bool {
        fits(self.label.as_deref(), label)
    }
}

/// A pattern that is not there fits everything.
fn fits(pattern: Option<&str>, text: &str) -> bool {
    pattern.is_none_or(|pattern| WildMatch::new(pattern).matches(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_said_must_fit() {
        let subject =
            Subject { label: "basic_1.0".into(), msp: "Org1MSP".into(), peer: "peer-01".into() };
        let of = |label: Option<&str>, msp: Option<&str>, peer: Option<&str>| {
            let [label, msp, peer] = [label, msp, peer].map(|text| text.map(str::to_owned));
            Match { label, msp, peer }.fits(&subject)
        };
        assert!(of(Some("basic_*"), Some("Org1MSP"), Some("peer-0*")));
        assert!(of(Some("basic_1?0"), None, None));
        assert!(of(None, None, None));
        assert!(!of(Some("basic"), None, None));
        assert!(!of(Some("basic_*"), Some("Org2MSP"), None));
        assert!(!of(Some("basic_[1]*"), None, None));
    }
}

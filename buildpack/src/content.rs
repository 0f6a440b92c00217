//! What a package holds that comes to the launcher: code is built, an image is there.

use selvedge_package::ChaincodeType;

use crate::language::Language;

/// What a package holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageContent {
    /// Code in a language, of which an image is made.
    Code(Language),
    /// The name of an image that somebody else made ([`NamedImage`](crate::named_image)).
    Image,
}

impl PackageContent {
    /// All that there may be.
    pub fn all() -> impl Iterator<Item = Self> {
        Language::ALL.into_iter().map(Self::Code).chain([Self::Image])
    }

    /// What packages of this type hold; none for what no launcher has a part in.
    pub fn of(kind: &ChaincodeType) -> Option<Self> {
        Self::all().find(|content| content.kind() == *kind)
    }

    /// The type of its packages.
    pub fn kind(self) -> ChaincodeType {
        match self {
            Self::Code(language) => language.kind(),
            Self::Image => ChaincodeType::K8s,
        }
    }

    /// The arguments, after the image's entry point, by which its shim finds a peer at `address`,
    /// `host:port`. An image that somebody else made gets none: how it starts is its own matter,
    /// and the address is in its environment (fabric-builder-k8s `internal/util/k8s.go`,
    /// `getChaincodeJobSpec`).
    pub fn arguments(self, address: &str) -> Vec<String> {
        match self {
            Self::Code(language) => language.arguments(address),
            Self::Image => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use selvedge_package::Handling;

    use super::*;

    #[test]
    fn what_a_builder_sends_to_the_launcher_is_what_the_launcher_takes() {
        for kind in ChaincodeType::TAKEN {
            let handling = match PackageContent::of(&kind) {
                Some(PackageContent::Code(language)) => {
                    assert_eq!(Language::of(&kind), Some(language), "{kind}");
                    Handling::Built
                }
                Some(PackageContent::Image) => Handling::Named,
                None => Handling::Served,
            };
            assert_eq!(kind.handling(), handling, "{kind}");
        }
        for content in PackageContent::all() {
            let kind = content.kind();
            assert!(ChaincodeType::TAKEN.contains(&kind), "{kind}");
            assert_eq!(PackageContent::of(&kind), Some(content));
        }
        assert_eq!(PackageContent::of(&ChaincodeType::named("cobol")), None);
    }
}

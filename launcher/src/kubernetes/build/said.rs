//! What the operator's file says of builds, as one build finds it: it may change between two.

use selvedge_buildpack::language::Language;
use selvedge_config::{Builds, Operator, Registry};

use super::error::BuildsError;
use selvedge_registry::Repository;

/// What one build goes by.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) builds: Builds,
    pub(super) registry: Registry,
    /// Where images are kept.
    pub(super) repository: Repository,
}

impl Said {
    /// What a file says to a launcher that serves a repository, or none: another one goes before it.
    pub(super) fn of(
        operator: &Operator,
        served: Option<&Repository>,
    ) -> Result<Self, BuildsError> {
        let registry = operator.registry().clone();
        let repository = match (&registry.address, served) {
            (Some(address), _) => address.parse().map_err(BuildsError::Address)?,
            (None, Some(served)) => served.clone(),
            (None, None) if registry.serve.is_some() => return Err(BuildsError::NotServed),
            (None, None) => return Err(BuildsError::NoRegistry),
        };
        Ok(Self { builds: operator.builds().clone(), registry, repository })
    }

    /// The image whose tools build, where it is fetched from, and the key that names it; none if
    /// nothing is run to build.
    pub(super) fn toolchain(&self, language: Language) -> Option<(String, &'static str)> {
        let toolchains = &self.builds.toolchains;
        let (toolchain, key) = match language {
            Language::Golang => (&toolchains.go, "builds.toolchains.go.image"),
            Language::Node => (&toolchains.node, "builds.toolchains.node.image"),
            Language::Java => (&toolchains.java, "builds.toolchains.java.image"),
            Language::Binary => return None,
        };
        Some((self.registry.rewritten(&toolchain.image), key))
    }

    /// The image that what is built in the language is laid over, where it is fetched from; none if
    /// it needs nothing to stand on.
    pub(super) fn runtime(&self, language: Language) -> Option<String> {
        let runtimes = &self.builds.runtimes;
        let runtime = match language {
            Language::Golang | Language::Binary => return None,
            Language::Node => &runtimes.node,
            Language::Java => &runtimes.java,
        };
        Some(self.registry.rewritten(&runtime.image))
    }
}

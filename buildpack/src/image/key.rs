//! The name under which an image is found again before it is built.

use std::fmt;

use super::Tag;
use crate::digest::Sha256;
use crate::platform::Platform;

/// Part of every key: raise it when assembly changes, so that images of an earlier Selvedge are
/// built again rather than mixed with those of this one.
const ASSEMBLY_VERSION: &str = "1";

/// Everything that decides what an image is.
#[derive(Clone, Copy, Debug)]
pub struct BuildKeyInputs<'a> {
    /// [`Source::digest`](crate::source::Source::digest).
    pub source: Sha256,
    /// [`Recipe::inputs`](crate::recipe::Recipe::inputs).
    pub recipe: &'a [String],
    /// What the toolchain says its version is, such as `go1.26.8`.
    pub toolchain: &'a str,
    /// [`Base::diff_id`](super::Base::diff_id).
    pub base: Sha256,
    /// What it is built for.
    pub platform: Platform,
}

/// A digest over everything that decides what an image is: equal keys, equal images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BuildKey(Sha256);

impl BuildKey {
    /// Computes the key.
    pub fn new(inputs: &BuildKeyInputs<'_>) -> Self {
        let BuildKeyInputs { source, recipe, toolchain, base, platform } = inputs;
        let head = [
            ASSEMBLY_VERSION.to_owned(),
            source.to_string(),
            base.to_string(),
            (*toolchain).to_owned(),
            platform.to_string(),
        ];
        // Each with its length, so that no two lists read the same.
        let parts = head.iter().chain(*recipe);
        let text: Vec<String> = parts.map(|part| format!("{}:{part}", part.len())).collect();
        Self(Sha256::of(text.join("\n").as_bytes()))
    }

    /// The tag under which the image is kept in a layout or registry.
    pub fn tag(&self) -> Tag {
        Tag(format!("build-{}", self.0.hex()))
    }
}

impl fmt::Display for BuildKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_counts() {
        let recipe = ["a".to_owned(), "b".to_owned()];
        let joined = ["ab".to_owned()];
        let inputs = BuildKeyInputs {
            source: Sha256::of(b"source"),
            recipe: &recipe,
            toolchain: "go1",
            base: Sha256::of(b"base"),
            platform: Platform::LinuxAmd64,
        };
        let others = [
            BuildKeyInputs { source: Sha256::of(b"x"), ..inputs },
            BuildKeyInputs { recipe: &joined, ..inputs },
            BuildKeyInputs { toolchain: "go2", ..inputs },
            BuildKeyInputs { base: Sha256::of(b"x"), ..inputs },
            BuildKeyInputs { platform: Platform::LinuxArm64, ..inputs },
        ];
        let key = BuildKey::new(&inputs);
        assert_eq!(key, BuildKey::new(&inputs));
        assert!(others.iter().all(|other| BuildKey::new(other) != key));
        assert!(key.tag().as_ref().starts_with("build-"));
    }
}

//! Where an image is that was named on the command line; or that it is a package which was.

use std::path::{Path, PathBuf};

use selvedge_registry::Reference;

/// What an image in a directory begins with, if it has to.
const LAYOUT: &str = "oci:";

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In an OCI image layout.
    Layout {
        directory: PathBuf,
        /// Its digest or tag, if there is more than one.
        which: Option<String>,
    },
    /// In a registry.
    Registry(Reference),
}

impl Place {
    /// What is no image by its name is a package's file, which may not be there.
    pub(crate) fn of(named: &Path) -> Option<Self> {
        if named.is_dir() {
            return Some(Self::Layout { directory: named.to_owned(), which: None });
        }
        let text = named.to_str().filter(|_| !named.exists())?;
        if let Some(layout) = text.strip_prefix(LAYOUT) {
            return Some(Self::in_layout(layout));
        }
        let (registry, _) = text.split_once('/')?;
        // As docker tells the name of a host from that of a directory.
        let is_host = registry.contains(['.', ':']) || registry == "localhost";
        let is_host = is_host && !registry.starts_with('.');
        is_host.then(|| text.parse().ok().map(Self::Registry))?
    }

    fn in_layout(text: &str) -> Self {
        let (directory, which) = match text.split_once('@') {
            Some((directory, digest)) => (directory, Some(digest)),
            None => match text.rsplit_once(':') {
                Some((directory, tag)) if !tag.contains('/') => (directory, Some(tag)),
                _ => (text, None),
            },
        };
        Self::Layout { directory: directory.into(), which: which.map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(directory: &str, which: Option<&str>) -> Place {
        let which = which.map(str::to_owned);
        Place::Layout { directory: directory.into(), which }
    }

    #[test]
    fn what_is_an_image_and_what_a_package() {
        for (named, place) in [
            ("oci:images", Some(layout("images", None))),
            ("oci:a/b@sha256:0", Some(layout("a/b", Some("sha256:0")))),
            ("oci:a/b:build-1", Some(layout("a/b", Some("build-1")))),
            ("oci:/a:b/c", Some(layout("/a:b/c", None))),
            ("basic_1.0.tar.gz", None),
            ("./basic_1.0.tar.gz", None),
            ("../packages/basic_1.0.tar.gz", None),
            ("packages/basic_1.0.tar.gz", None),
            ("/packages/basic_1.0.tar.gz", None),
        ] {
            assert_eq!(Place::of(Path::new(named)), place, "{named}");
        }
        for named in ["registry.example.com/a/chaincode:1", "localhost/a", "127.0.0.1:5000/a"] {
            assert!(matches!(Place::of(Path::new(named)), Some(Place::Registry(_))), "{named}");
        }
        let here = env!("CARGO_MANIFEST_DIR");
        assert_eq!(Place::of(Path::new(here)), Some(layout(here, None)));
        assert_eq!(Place::of(&Path::new(here).join("Cargo.toml")), None);
    }
}

//! What of the shared dependencies is removed as one: a version of a Go module with its archive and
//! its files, a clone, a file of a mirrored repository with its checksum, or else a file.

use std::path::{Component, Path, PathBuf};

use super::mirror::{CHECKSUM, MIRRORS};

/// Where Go's modules are.
pub(crate) const GO_MODULES: &str = "go/modules";

/// The directory of a module's archives (<https://go.dev/ref/mod#module-cache>).
const ARCHIVES: &str = "@v";

/// The piece that a file is of, and what is to be removed for that: the file, or a directory above
/// it. All paths are relative to the shared place.
pub(super) fn piece_of(file: &Path) -> (PathBuf, PathBuf) {
    let whole = || (file.to_owned(), file.to_owned());
    if file.starts_with(MIRRORS)
        && let Some(of) = file.to_str().and_then(|name| name.strip_suffix(CHECKSUM))
    {
        return (of.into(), file.to_owned());
    }
    let Ok(below) = file.strip_prefix(GO_MODULES) else { return whole() };
    let names: Vec<&str> = below.components().filter_map(name).collect();
    let up_to = |count: usize| {
        let path =
            names[..count].iter().fold(PathBuf::from(GO_MODULES), |path, name| path.join(name));
        (path.clone(), path)
    };
    match names[..] {
        ["cache", "vcs", _, ..] => up_to(3),
        ["cache", "download", .., ARCHIVES, name] => match name.rsplit_once('.') {
            Some((version, _)) => {
                let module = names[2..names.len() - 2].join("/");
                (Path::new(GO_MODULES).join(format!("{module}@{version}")), file.to_owned())
            }
            None => whole(),
        },
        ["cache", ..] => whole(),
        _ => match names.iter().position(|name| name.contains('@')) {
            Some(at) => up_to(at + 1),
            None => whole(),
        },
    }
}

fn name(component: Component<'_>) -> Option<&str> {
    component.as_os_str().to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_one() {
        let module = "go/modules/github.com/!burnt!sushi/toml@v1.5.0";
        let archive = "go/modules/cache/download/github.com/!burnt!sushi/toml/@v/v1.5.0.ziphash";
        for (file, piece, removed) in [
            (&*format!("{module}/internal/tz.go"), module, module),
            (archive, module, archive),
            (
                "go/modules/cache/vcs/0a/objects/x",
                "go/modules/cache/vcs/0a",
                "go/modules/cache/vcs/0a",
            ),
            ("go/modules/cache/lock", "go/modules/cache/lock", "go/modules/cache/lock"),
            ("go/builds/ff/00/a-d", "go/builds/ff/00/a-d", "go/builds/ff/00/a-d"),
            ("npm/x@y/z", "npm/x@y/z", "npm/x@y/z"),
            ("npm/x.sha1", "npm/x.sha1", "npm/x.sha1"),
            ("mirrors/a/b.jar", "mirrors/a/b.jar", "mirrors/a/b.jar"),
            ("mirrors/a/b.jar.sha1", "mirrors/a/b.jar", "mirrors/a/b.jar.sha1"),
        ] {
            let expected = (PathBuf::from(piece), PathBuf::from(removed));
            assert_eq!(piece_of(Path::new(file)), expected, "{file}");
        }
    }
}

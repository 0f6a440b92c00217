//! What node-gyp leaves beside a native module that it has compiled. No part of it is needed to run
//! the module, and `config.gypi` has every `npm_config_*` variable of whoever compiled it, credentials
//! included (`lib/create-config-gypi.js` of node-gyp).

use std::fs;
use std::io;
use std::path::Path;

use walkdir::WalkDir;

/// Where it works, in a module's directory.
const BUILD: &str = "build";

/// The file by which it is told that a directory is node-gyp's and not the module's own.
const CONFIG: &str = "config.gypi";

/// What it makes there, besides what ends in `.mk`.
const NAMES: [&str; 4] = [CONFIG, "Makefile", "binding.Makefile", "node_gyp_bins"];

/// What it makes of each configuration that it compiles, besides what is loaded.
const OF_CONFIGURATION: [&str; 3] = ["obj.target", ".deps", "obj"];
const CONFIGURATIONS: [&str; 2] = ["Release", "Debug"];

/// Whether a file or directory is node-gyp's own. Whether something lies beside it is looked up.
pub(crate) fn is_leaving(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let parent = path.parent().unwrap_or(path);
    if NAMES.contains(&name) || path.extension().is_some_and(|end| end == "mk") {
        return is_of_gyp(parent);
    }
    let compiled = CONFIGURATIONS.iter().any(|configuration| parent.ends_with(configuration));
    compiled && OF_CONFIGURATION.contains(&name) && parent.parent().is_some_and(is_of_gyp)
}

fn is_of_gyp(directory: &Path) -> bool {
    directory.ends_with(BUILD) && directory.join(CONFIG).symlink_metadata().is_ok()
}

/// Removes what it left, at whatever depth.
pub(super) fn remove_leavings(root: &Path) -> io::Result<()> {
    let mut leavings = Vec::new();
    let mut walk = WalkDir::new(root).into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry?;
        let is_directory = entry.file_type().is_dir();
        if is_leaving(entry.path()) {
            if is_directory {
                walk.skip_current_dir();
            }
            leavings.push((entry.into_path(), is_directory));
        }
    }
    // All are found before the first goes, by which the others are told.
    for (path, is_directory) in leavings {
        if is_directory { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_stays_and_so_does_what_is_the_modules_own() {
        let directory = tempfile::tempdir().unwrap();
        let files = [
            ("native/build/config.gypi", true),
            ("native/build/Makefile", true),
            ("native/build/native.target.mk", true),
            ("native/build/Release/obj.target/native/a.o", true),
            ("native/build/Release/.deps/a.d", true),
            ("native/build/Release/native.node", false),
            ("native/build/index.js", false),
            ("native/Makefile", false),
            ("own/build/Makefile", false),
            ("own/build/Release/obj/index.js", false),
            ("own/config.gypi", false),
        ];
        for (name, _) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        remove_leavings(directory.path()).unwrap();
        for (name, left) in files {
            assert_eq!(!directory.path().join(name).exists(), left, "{name}");
        }
    }
}

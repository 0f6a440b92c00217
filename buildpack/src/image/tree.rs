//! A directory's files as one layer: the same one wherever the directory is, whoever owns it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::layer::LayerArchive;
use crate::archive::{ArchiveError, EntryPath, Limits, LinkTarget};

/// A directory, or one directory in it, whose files become a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Where all that belongs together lies: links lead to places in here.
    pub(crate) root: PathBuf,
    /// The directory in it that is the layer; empty for all of it. One that does not exist has no
    /// files.
    pub(crate) part: &'static str,
    /// What of that stays out, by the path below it.
    pub(crate) without: &'static [&'static str],
}

/// One entry of a layer.
enum Content {
    Directory,
    File { mode: u32, size: u64, on_disk: PathBuf },
    Link(LinkTarget),
}

impl Tree {
    /// Adds the files below `directory` to an archive, sorted by path, with all the directories
    /// above: files that somebody may execute are 0755, others 0644.
    ///
    /// # Errors
    ///
    /// As for [`Tree::check`].
    pub(super) fn fill(&self, archive: &mut LayerArchive, directory: &str) -> io::Result<()> {
        for (path, content) in self.entries(directory, Limits::LAYER)? {
            match content {
                Content::Directory => archive.directory(&path, DIRECTORY_MODE)?,
                Content::File { mode, on_disk, .. } => archive.file_at(&path, mode, &on_disk)?,
                Content::Link(target) => archive.link(&path, &target)?,
            }
        }
        Ok(())
    }

    /// Makes sure that all of it can be in a layer, below `directory`.
    ///
    /// # Errors
    ///
    /// When there is anything but files, directories and links to places in the root, and when there
    /// is more than a layer may hold ([`Limits::LAYER`]).
    pub(super) fn check(&self, directory: &str) -> io::Result<()> {
        self.entries(directory, Limits::LAYER).map(drop)
    }

    fn entries(&self, directory: &str, limits: Limits) -> io::Result<BTreeMap<EntryPath, Content>> {
        let (mut entries, mut bytes) = (BTreeMap::new(), 0);
        for above in directories(directory) {
            entries.insert(entry(above.as_bytes())?, Content::Directory);
        }
        let part = self.root.join(self.part);
        match fs::symlink_metadata(&part) {
            // What it leads to is none of what was built here, or is in the layer already.
            Ok(metadata) if metadata.is_symlink() => return Err(self.refused("is a symbolic link")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(entries),
            Err(error) => return Err(error),
        }
        let mut walk = WalkDir::new(&part).min_depth(1).into_iter();
        while let Some(found) = walk.next() {
            let found = found?;
            let below = found.path().strip_prefix(&part).unwrap_or(found.path());
            if self.without.iter().any(|without| below == Path::new(without)) {
                if found.file_type().is_dir() {
                    walk.skip_current_dir();
                }
                continue;
            }
            let name = [directory.as_bytes(), b"/", below.as_os_str().as_bytes()].concat();
            let content = self.content(&found)?;
            if let Content::File { size, .. } = content {
                bytes += size;
            }
            entries.insert(entry(&name)?, content);
            // Before the rest is looked at: nobody knows how much it is.
            if bytes > limits.bytes {
                return Err(self.refused(ArchiveError::TooLarge { limit: limits.bytes }));
            }
            if entries.len() > limits.entries {
                return Err(self.refused(ArchiveError::TooManyEntries { limit: limits.entries }));
            }
        }
        Ok(entries)
    }

    /// What is wrong with all of it; reads on from its name.
    fn refused(&self, what: impl fmt::Display) -> io::Error {
        let name = if self.part.is_empty() { "the chaincode's directory" } else { self.part };
        io::Error::other(format!("{name} {what}"))
    }

    fn content(&self, found: &walkdir::DirEntry) -> io::Result<Content> {
        let kind = found.file_type();
        if kind.is_dir() {
            return Ok(Content::Directory);
        }
        if kind.is_file() {
            let metadata = found.metadata()?;
            let mode = FILE_MODES[usize::from(metadata.permissions().mode() & 0o111 != 0)];
            let (size, on_disk) = (metadata.len(), found.path().to_owned());
            return Ok(Content::File { mode, size, on_disk });
        }
        let below = found.path().strip_prefix(&self.root).unwrap_or(found.path());
        let below = entry(below.as_os_str().as_bytes())?;
        if !kind.is_symlink() {
            return Err(io::Error::other(format!("{below} is neither a file nor a directory")));
        }
        let target = fs::read_link(found.path())?;
        LinkTarget::parse(&below, target.as_os_str().as_bytes())
            .map(Content::Link)
            .map_err(|fault| io::Error::other(format!("{below} {fault}")))
    }
}

/// The mode of a layer's directories.
pub(super) const DIRECTORY_MODE: u32 = 0o755;

/// The modes of a layer's files.
pub(super) const FILE_MODES: [u32; 2] = [0o644, 0o755];

/// A directory and those above it, from the top down.
pub(super) fn directories(directory: &str) -> impl Iterator<Item = &str> {
    let ends = directory.match_indices('/').map(|(end, _)| end);
    ends.chain([directory.len()]).map(|end| &directory[..end])
}

fn entry(name: &[u8]) -> io::Result<EntryPath> {
    EntryPath::parse(name).map_err(|fault| {
        io::Error::other(format!("{} {fault}", String::from_utf8_lossy(name).escape_debug()))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::Layer;
    use super::*;
    use crate::archive::Packing;

    fn tree(root: &Path) -> Tree {
        fs::create_dir_all(root.join("node_modules/.bin")).unwrap();
        fs::create_dir_all(root.join("node_modules/tool/bin")).unwrap();
        fs::create_dir_all(root.join("node_modules/.cache")).unwrap();
        fs::write(root.join("node_modules/.cache/x"), "x").unwrap();
        fs::write(root.join("node_modules/tool/bin/tool.js"), "program").unwrap();
        fs::write(root.join("node_modules/tool.json"), "{}").unwrap();
        let executable = fs::Permissions::from_mode(0o700);
        fs::set_permissions(root.join("node_modules/tool/bin/tool.js"), executable).unwrap();
        symlink("../tool/bin/tool.js", root.join("node_modules/.bin/tool")).unwrap();
        symlink("../packages/member", root.join("node_modules/member")).unwrap();
        Tree { root: root.to_owned(), part: "node_modules", without: &[".cache"] }
    }

    fn layer(scratch: &Path, tree: &Tree) -> io::Result<Layer> {
        Layer::write(scratch, Packing::Deflated, |archive| {
            tree.fill(archive, "usr/local/src/node_modules")
        })
    }

    #[test]
    fn the_same_layer_wherever_it_lies() {
        let scratch = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"]
            .map(|name| layer(scratch.path(), &tree(&scratch.path().join(name))).unwrap());
        assert_eq!(one.diff_id, other.diff_id);
        let tar = crate::archive::gunzip(fs::File::open(one.path()).unwrap()).unwrap();
        let mut archive = tar::Archive::new(tar);
        let names = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let link = entry.link_name().unwrap().map(|to| format!(" -> {}", to.display()));
            let mode = entry.header().mode().unwrap();
            let name = entry.path().unwrap().display().to_string();
            format!("{mode:o} {}{}", name.trim_end_matches('/'), link.unwrap_or_default())
        });
        assert_eq!(
            names.collect::<Vec<_>>(),
            [
                "755 usr",
                "755 usr/local",
                "755 usr/local/src",
                "755 usr/local/src/node_modules",
                "755 usr/local/src/node_modules/.bin",
                "777 usr/local/src/node_modules/.bin/tool -> ../tool/bin/tool.js",
                "777 usr/local/src/node_modules/member -> ../packages/member",
                "755 usr/local/src/node_modules/tool",
                "644 usr/local/src/node_modules/tool.json",
                "755 usr/local/src/node_modules/tool/bin",
                "755 usr/local/src/node_modules/tool/bin/tool.js",
            ]
        );
    }

    #[test]
    fn a_link_that_leads_out_is_refused_by_name() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = tree(&scratch.path().join("one"));
        symlink("../../elsewhere", tree.root.join("node_modules/away")).unwrap();
        let error = layer(scratch.path(), &tree).unwrap_err().to_string();
        let told = "node_modules/away is a symbolic link to `../../elsewhere`, which does not lead";
        assert!(error.starts_with(told), "{error}");
    }

    #[test]
    fn a_directory_that_is_a_link_is_refused_by_name() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = tree(&scratch.path().join("one"));
        fs::rename(tree.root.join("node_modules"), tree.root.join("elsewhere")).unwrap();
        symlink("elsewhere", tree.root.join("node_modules")).unwrap();
        let error = layer(scratch.path(), &tree).unwrap_err().to_string();
        assert_eq!(error, "node_modules is a symbolic link");
    }

    #[test]
    fn more_than_a_layer_may_hold_is_refused_by_its_limit() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = tree(&scratch.path().join("one"));
        let with =
            |bytes, entries| tree.entries("usr", Limits { bytes, entries }).map(|all| all.len());
        // The directory, five in it and two links; a program of seven bytes and two braces.
        assert_eq!(with(9, 8).unwrap(), 8);
        let told = with(8, 8).unwrap_err().to_string();
        assert_eq!(told, "node_modules unpacks to more than 8 bytes");
        let told = with(9, 7).unwrap_err().to_string();
        assert_eq!(told, "node_modules holds more than 7 entries");
        let sparse = fs::File::create(tree.root.join("node_modules/huge")).unwrap();
        sparse.set_len(Limits::LAYER.bytes).unwrap();
        let told = layer(scratch.path(), &tree).unwrap_err().to_string();
        assert_eq!(told, "node_modules unpacks to more than 2147483648 bytes");
    }

    #[test]
    fn no_directory_no_files() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("nowhere");
        let tree = Tree { root, part: "node_modules", without: &[] };
        layer(scratch.path(), &tree).unwrap();
    }
}

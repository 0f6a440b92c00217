//! A directory's files as one layer: the same one wherever the directory is, whoever owns it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::layer::LayerArchive;
use crate::archive::{EntryPath, LinkTarget};

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
    File { mode: u32, on_disk: PathBuf },
    Link(LinkTarget),
}

impl Tree {
    /// Adds the files below `directory` to an archive, sorted by path, with all the directories
    /// above: files that somebody may execute are 0755, others 0644.
    ///
    /// # Errors
    ///
    /// Also when there is anything but files, directories and links to places in the root.
    pub(super) fn fill(&self, archive: &mut LayerArchive, directory: &str) -> io::Result<()> {
        for (path, content) in self.entries(directory)? {
            match content {
                Content::Directory => archive.directory(&path, DIRECTORY_MODE)?,
                Content::File { mode, on_disk } => archive.file_at(&path, mode, &on_disk)?,
                Content::Link(target) => archive.link(&path, &target)?,
            }
        }
        Ok(())
    }

    fn entries(&self, directory: &str) -> io::Result<BTreeMap<EntryPath, Content>> {
        let mut entries = BTreeMap::new();
        for above in directories(directory) {
            entries.insert(entry(above.as_bytes())?, Content::Directory);
        }
        let part = self.root.join(self.part);
        if !part.try_exists()? {
            return Ok(entries);
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
            entries.insert(entry(&name)?, self.content(&found)?);
        }
        Ok(entries)
    }

    fn content(&self, found: &walkdir::DirEntry) -> io::Result<Content> {
        let kind = found.file_type();
        if kind.is_dir() {
            return Ok(Content::Directory);
        }
        if kind.is_file() {
            let executable = found.metadata()?.permissions().mode() & 0o111 != 0;
            let mode = FILE_MODES[usize::from(executable)];
            return Ok(Content::File { mode, on_disk: found.path().to_owned() });
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
        Layer::write(scratch, |archive| tree.fill(archive, "usr/local/src/node_modules"))
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
    fn no_directory_no_files() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("nowhere");
        let tree = Tree { root, part: "node_modules", without: &[] };
        layer(scratch.path(), &tree).unwrap();
    }
}

//! Which C library something needs, and which a runtime has: what was compiled against the one does
//! not load with the other, which would show at the first call.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use oci_spec::image::Descriptor;

use super::{Layout, LayoutError, sha256};
use crate::archive::{ArchiveError, Entry, EntryFault, Kind, Limits, Link, Visit, gunzip, scan};

/// A C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Libc {
    /// Debian's, and most others'.
    Gnu,
    /// Alpine's.
    Musl,
}

/// A module that was compiled for a C library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeModule {
    /// Its path in the image.
    pub path: String,
    /// What it needs.
    pub libc: Libc,
}

/// Where node-gyp leaves what it has compiled. What packages bring along compiled, they have for
/// each C library, and choose when they are loaded.
const COMPILED: &str = "/build/Release/";

/// The most of a module that is looked through, in bytes.
const MOST: u64 = 64 << 20;

/// The names of the libraries in what was linked against them (`DT_NEEDED`), with the zero behind.
const NEEDED: [(Libc, &[u8]); 3] =
    [(Libc::Gnu, b"libc.so.6\0"), (Libc::Musl, b"libc.musl-"), (Libc::Musl, b"libc.so\0")];

impl NativeModule {
    /// The first one that a build has compiled and that an image of the layout holds.
    pub fn first(layout: &Layout, image: &Descriptor) -> Result<Option<Self>, LayoutError> {
        let mut modules = Modules(None);
        for layer in layout.manifest(image)?.layers() {
            let Some(digest) = sha256(layer) else { continue };
            let (file, _) = layout.open_blob(digest)?;
            // What is wrong with a layer, others have said.
            let _ = gunzip(file).and_then(|content| scan(content, Limits::LAYER, &mut modules));
        }
        Ok(modules.0)
    }
}

struct Modules(Option<NativeModule>);

impl Visit for Modules {
    type Error = ArchiveError;

    fn entry(&mut self, mut entry: Entry<'_>) -> Result<(), ArchiveError> {
        let path = entry.path.to_string();
        let wanted = entry.kind == Kind::File
            && path.contains(COMPILED)
            && Path::new(&path).extension().is_some_and(|extension| extension == "node")
            && entry.size <= MOST;
        if self.0.is_none() && wanted {
            let mut content = Vec::new();
            entry.copy_to(&mut content, Path::new(&path))?;
            self.0 = needed(&content).map(|libc| NativeModule { path, libc });
        }
        Ok(())
    }

    fn link(&mut self, _: Link) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn fault(&mut self, _: String, _: EntryFault) -> Result<(), ArchiveError> {
        Ok(())
    }
}

/// The C library that a program or module needs; none if it needs none.
fn needed(content: &[u8]) -> Option<Libc> {
    let has = |name: &[u8]| content.windows(name.len()).any(|part| part == name);
    NEEDED
        .iter()
        .find(|(_, name)| content.starts_with(b"\x7fELF") && has(name))
        .map(|(libc, _)| *libc)
}

impl Libc {
    /// That of a system of which this is a compressed layer, by its loader; none if it has none.
    pub fn of_layer(layer: impl Read) -> io::Result<Option<Self>> {
        let content = gunzip(layer).map_err(io::Error::other)?;
        for entry in tar::Archive::new(content).entries()? {
            let entry = entry?;
            let path = entry.path_bytes();
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            if name.starts_with(b"ld-musl-") {
                return Ok(Some(Self::Musl));
            }
            if name.starts_with(b"ld-linux") {
                return Ok(Some(Self::Gnu));
            }
        }
        Ok(None)
    }
}

impl fmt::Display for Libc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gnu => "glibc (Debian's)",
            Self::Musl => "musl (Alpine's)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ArchiveWriter, EntryPath, GzipWriter};

    fn layer(names: &[&str]) -> Vec<u8> {
        let mut archive = ArchiveWriter::new(GzipWriter::new(Vec::new()));
        for name in names {
            archive.bytes(&EntryPath::parse(name.as_bytes()).unwrap(), 0o755, b"x").unwrap();
        }
        archive.finish().unwrap().finish().unwrap()
    }

    #[test]
    fn by_its_loader() {
        for (names, libc) in [
            (&["etc/passwd", "lib/ld-musl-x86_64.so.1"][..], Some(Libc::Musl)),
            (&["usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"], Some(Libc::Gnu)),
            (&["lib/ld-linux-aarch64.so.1"], Some(Libc::Gnu)),
            (&["etc/passwd"], None),
        ] {
            assert_eq!(Libc::of_layer(layer(names).as_slice()).unwrap(), libc, "{names:?}");
        }
        assert!(Libc::of_layer(&b"no layer"[..]).is_err());
    }

    #[test]
    fn by_what_is_needed() {
        assert_eq!(needed(b"\x7fELF...libm.so.6\0libc.so.6\0"), Some(Libc::Gnu));
        assert_eq!(needed(b"\x7fELF...libc.musl-x86_64.so.1\0"), Some(Libc::Musl));
        assert_eq!(needed(b"\x7fELF...nothing"), None);
        assert_eq!(needed(b"text about libc.so.6\0"), None);
    }
}

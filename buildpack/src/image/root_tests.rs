//! Layers as other tools write them, and as nobody well-meaning does.

use oci_spec::image::ImageManifest;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tempfile::TempDir;

use super::*;
use crate::archive::GzipWriter;
use crate::digest::Sha256;
use crate::platform::Platform;

/// An entry: its type, name, what a link leads to or a file holds, and mode.
type Item<'a> = (EntryType, &'a str, &'a str, u32);

const FILE: EntryType = EntryType::Regular;
const DIRECTORY: EntryType = EntryType::Directory;
const SYMLINK: EntryType = EntryType::Symlink;
const LINK: EntryType = EntryType::Link;

fn layer(items: &[Item<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (kind, name, content, mode) in items {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        let is_link = matches!(*kind, SYMLINK | LINK);
        let data = if is_link { "" } else { content };
        header.set_size(data.len() as u64);
        // As they are: the builder would not write what leads out.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        if is_link {
            let linkname = &mut header.as_gnu_mut().unwrap().linkname;
            linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_cksum();
        tar.append(&header, data.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// The layers one over the other in `root` below the directory.
fn lay_all(directory: &TempDir, layers: &[&[Item<'_>]]) -> Result<PathBuf, String> {
    let path = directory.path().join("root");
    fs::create_dir(&path).unwrap();
    let mut root = Root { path: &path, bytes: 0, entries: 0 };
    for items in layers {
        root.lay(&layer(items)[..]).map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", source.unwrap_or_default())
        })?;
    }
    Ok(path)
}

/// All that is in a root: `NAME=CONTENT`, `NAME>TARGET`, `NAME/`.
fn found(root: &Path) -> Vec<String> {
    let mut found: Vec<String> = walkdir::WalkDir::new(root)
        .min_depth(1)
        .into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(root).unwrap().display().to_string();
            if entry.file_type().is_dir() {
                format!("{name}/")
            } else if entry.file_type().is_symlink() {
                format!("{name}>{}", fs::read_link(entry.path()).unwrap().display())
            } else {
                format!("{name}={}", fs::read_to_string(entry.path()).unwrap())
            }
        })
        .collect();
    found.sort();
    found
}

fn laid_so(layers: &[&[Item<'_>]]) -> Vec<String> {
    found(&lay_all(&TempDir::new().unwrap(), layers).unwrap())
}

#[test]
fn layers_lie_one_over_the_other() {
    let below: &[Item<'_>] = &[
        (DIRECTORY, "./", "", 0o755),
        (DIRECTORY, "usr/lib/", "", 0o755),
        (FILE, "usr/lib/libc.so.6", "libc", 0o755),
        (SYMLINK, "lib", "usr/lib", 0o777),
        (FILE, "etc/hosts", "old", 0o644),
        (FILE, "opt/a", "a", 0o644),
        (FILE, "opt/deep/b", "b", 0o644),
        (FILE, "gone", "gone", 0o644),
        (EntryType::Char, "dev/null", "", 0o666),
    ];
    let above: &[Item<'_>] = &[
        // Through the link of the layer below, to where a process would find it.
        (FILE, "lib/libm.so.6", "libm", 0o755),
        (FILE, "etc/hosts", "new", 0o644),
        (LINK, "etc/again", "/etc/hosts", 0o644),
        (FILE, ".wh.gone", "", 0o644),
        (FILE, "opt/deep/c", "c", 0o644),
        (FILE, "opt/.wh..wh..opq", "", 0o644),
        (FILE, ".wh..wh.plnk", "", 0o644),
        // A file where there was a directory, and the other way round.
        (FILE, "etc/hosts.d/x", "x", 0o644),
        (FILE, "etc/hosts.d", "now a file", 0o644),
    ];
    assert_eq!(
        laid_so(&[below, above]),
        [
            "dev/",
            "etc/",
            "etc/again=new",
            "etc/hosts.d=now a file",
            "etc/hosts=new",
            "lib>usr/lib",
            "opt/",
            "opt/deep/",
            "opt/deep/c=c",
            "usr/",
            "usr/lib/",
            "usr/lib/libc.so.6=libc",
            "usr/lib/libm.so.6=libm",
        ]
    );
}

#[test]
fn what_an_owner_needs_of_modes_and_nothing_of_other_users() {
    let directory = TempDir::new().unwrap();
    let items: &[Item<'_>] = &[
        (DIRECTORY, "closed", "", 0o000),
        (FILE, "closed/shadow", "x", 0o000),
        (FILE, "closed/sudo", "x", 0o4755),
        (DIRECTORY, "tmp", "", 0o1777),
    ];
    let root = lay_all(&directory, &[items]).unwrap();
    let mode = |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o7777;
    let modes = ["closed", "closed/shadow", "closed/sudo", "tmp"].map(mode);
    assert_eq!(modes, [0o700, 0o400, 0o755, 0o1777]);
}

/// Each beside a directory that it tries to get into.
#[test]
fn nothing_leads_out_of_the_root() {
    for items in [
        &[(SYMLINK, "a", "../outside", 0o777), (FILE, "a/x", "x", 0o644)][..],
        &[(SYMLINK, "a", "/../../outside", 0o777), (FILE, "a/x", "x", 0o644)],
        &[(SYMLINK, "a", "b/../../../outside", 0o777), (DIRECTORY, "a/x", "", 0o755)],
        &[(SYMLINK, "a", "../outside/kept", 0o777), (FILE, "a", "x", 0o644)],
        &[(SYMLINK, "a", "../outside/kept", 0o777), (LINK, "b", "a", 0o644)],
        &[(SYMLINK, "a", "../outside", 0o777), (LINK, "b", "a/kept", 0o644)],
        &[(SYMLINK, "a", "../outside", 0o777), (FILE, ".wh.a", "", 0o644)],
        &[(SYMLINK, "a", "../outside", 0o777), (FILE, "a/.wh.kept", "", 0o644)],
        &[(SYMLINK, "a", "../outside", 0o777), (FILE, "a/.wh..wh..opq", "", 0o644)],
        &[(FILE, "../outside/x", "x", 0o644)],
        &[(FILE, "/x", "x", 0o644)],
        &[(LINK, "b", "../outside/kept", 0o644)],
        &[(FILE, ".wh...", "", 0o644)],
        &[(FILE, ".wh..", "", 0o644)],
    ] {
        let directory = TempDir::new().unwrap();
        let outside = directory.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        // Some are laid where a process would find them, others refused.
        let _ = lay_all(&directory, &[items]);
        assert_eq!(found(&outside), ["kept=kept"], "{items:?}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "{items:?}");
        let linked = fs::metadata(outside.join("kept")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&linked), 1, "{items:?}");
    }
}

#[test]
fn what_is_refused_is_named() {
    for (items, reason) in [
        (&[(FILE, "../x", "", 0o644)][..], "`../x` has `..` in its path"),
        (
            &[(SYMLINK, "a", "a", 0o777), (FILE, "a/x", "", 0o644)],
            "cannot write a/x: too many links",
        ),
        (&[(FILE, "a", "", 0o644), (FILE, "a/x", "", 0o644)], "cannot write a/x: not a directory"),
        (&[(LINK, "a", "b", 0o644)], "cannot write a: No such file"),
        (&[(EntryType::new(b'V'), "a", "", 0o644)], "`a` is a special entry of tar type `V`"),
    ] {
        let told = lay_all(&TempDir::new().unwrap(), &[items]).unwrap_err();
        assert!(told.starts_with(reason), "{told}");
    }
}

/// An image of such layers, each by its media type and its bytes as they come, and over what.
fn image(layout: &Layout, layers: &[(&str, Vec<u8>, &[u8])]) -> ImageManifest {
    let add = |kind: &str, content: &[u8]| {
        let digest = Sha256::of(content);
        layout.write_blob(digest, content).unwrap();
        serde_json::json!({
            "mediaType": kind, "digest": digest.to_string(), "size": content.len(),
        })
    };
    let diff_ids: Vec<_> =
        layers.iter().map(|(_, _, content)| Sha256::of(content).to_string()).collect();
    let configuration = serde_json::json!({
        "os": "linux", "architecture": "amd64", "config": { "Entrypoint": ["/start"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let kind = "application/vnd.oci.image.config.v1+json";
    let config = add(kind, configuration.to_string().as_bytes());
    let layers: Vec<_> = layers.iter().map(|(kind, bytes, _)| add(kind, bytes)).collect();
    let manifest = serde_json::json!({ "schemaVersion": 2, "config": config, "layers": layers });
    serde_json::from_value(manifest).unwrap()
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut writer = GzipWriter::new(Vec::new());
    std::io::Write::write_all(&mut writer, content).unwrap();
    writer.finish().unwrap()
}

fn laid_out(directory: &TempDir, layers: &[(&str, Vec<u8>, &[u8])]) -> Result<PathBuf, String> {
    let layout = Layout::create(&directory.path().join("images")).unwrap();
    let manifest = image(&layout, layers);
    let foreign = Foreign::read(&layout, &manifest, Platform::LinuxAmd64).unwrap();
    let root = directory.path().join("root");
    lay_out(&layout, &foreign, &root).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    })?;
    Ok(root)
}

#[test]
fn layers_are_compressed_in_one_way_or_another_or_not() {
    let directory = TempDir::new().unwrap();
    let files = ["a", "b", "c", "d"].map(|name| layer(&[(FILE, name, name, 0o644)]));
    let zstd = |content: &[u8]| compress_to_vec(content, CompressionLevel::Fastest);
    let [a, b, c, d] = &files;
    let layers = [
        ("application/vnd.oci.image.layer.v1.tar", a.clone(), &a[..]),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", gzipped(b), b),
        ("application/vnd.oci.image.layer.v1.tar+zstd", zstd(c), c),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", zstd(d), d),
    ];
    assert_eq!(found(&laid_out(&directory, &layers).unwrap()), ["a=a", "b=b", "c=c", "d=d"]);
}

#[test]
fn a_layer_that_is_damaged_is_refused_and_nothing_of_it_is_left() {
    let content = layer(&[(FILE, "a", "a", 0o644)]);
    let other = layer(&[(FILE, "b", "b", 0o644)]);
    let whole = compress_to_vec(&content[..], CompressionLevel::Fastest);
    let kind = "application/vnd.oci.image.layer.v1.tar+zstd";
    for (bytes, holds, reason) in [
        (whole[..whole.len() / 2].to_vec(), &content, "truncated"),
        (gzipped(&content), &content, "not a readable tar archive"),
        (content.clone(), &content, "not a readable tar archive"),
        (whole, &other, "is damaged: its diff ID is sha256:"),
    ] {
        let directory = TempDir::new().unwrap();
        let told = laid_out(&directory, &[(kind, bytes, &holds[..])]).unwrap_err();
        assert!(told.contains(reason), "{told}");
        assert!(!directory.path().join("root").exists());
    }
}

#[test]
fn a_layer_that_nobody_can_unpack_is_refused_before_it_is_fetched() {
    let directory = TempDir::new().unwrap();
    let layout = Layout::create(&directory.path().join("images")).unwrap();
    let manifest = image(&layout, &[("application/vnd.oci.image.layer.v1.tar+xz", vec![], b"")]);
    let told = Foreign::blobs(&manifest).unwrap_err().to_string();
    let reason = "has a layer of the media type application/vnd.oci.image.layer.v1.tar+xz: ";
    assert!(told.starts_with(reason), "{told}");
}

//! Files and sizes as a person reads them.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use selvedge_buildpack::package::{Elsewhere, Metadata, Remark};
use selvedge_buildpack::shim::{Security, Server, Shim};

use crate::screen::BOLD;

/// The most lines that a summary of files has before directories stand for them.
const MOST_LINES: usize = 30;

/// A size in the largest unit that leaves a number above one.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths, in whole numbers: 1536 bytes are 15 tenths of a KiB.
    let mut tenths = bytes * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// One line for each file: its size, then its path.
pub(crate) fn all<'a>(
    files: impl IntoIterator<Item = (&'a str, u64)>,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for (path, bytes) in files {
        writeln!(text, "  {:>10}  {path}", size(bytes))?;
    }
    Ok(text)
}

/// One line for each file; if that is too many, for each directory and what is in it.
pub(crate) fn summary(files: &[(&str, u64)]) -> Result<String, fmt::Error> {
    if files.len() <= MOST_LINES {
        return all(files.iter().copied());
    }
    let mut groups: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (path, bytes) in files {
        let (total, count) = groups.entry(group(path)).or_default();
        *total += bytes;
        *count += 1;
    }
    let mut text = String::new();
    for (group, (bytes, count)) in groups {
        let files = if group.ends_with('/') { format!(" ({count} files)") } else { String::new() };
        writeln!(text, "  {:>10}  {group}{files}", size(bytes))?;
    }
    Ok(text)
}

/// Where the code is: what that is called, and the place.
pub(crate) fn place(elsewhere: Option<&Elsewhere>, metadata: &Metadata) -> (&'static str, String) {
    match elsewhere {
        Some(Elsewhere::Image(image)) => ("image", format!("{image}{}", listens(image.shim()))),
        Some(Elsewhere::Server(server)) => ("served at", server.to_string()),
        None => ("path", metadata.path.escape_debug().to_string()),
    }
}

/// How an image's chaincode listens, if it does.
fn listens(shim: Shim) -> String {
    let Some(Server { security, port }) = shim.server() else { return String::new() };
    let tls = match security {
        Security::Tls => "with TLS",
        Security::Plain => "without TLS",
    };
    let port = port.map(|port| format!(" at port {port}")).unwrap_or_default();
    format!(", listens {tls}{port}")
}

/// What there is to know about files, if anything.
pub(crate) fn remarks(remarks: &[Remark], text: &mut String) -> fmt::Result {
    if !remarks.is_empty() {
        writeln!(text, "{BOLD}to know{BOLD:#}")?;
    }
    for Remark { file, text: remark } in remarks {
        writeln!(text, "  {} {remark}", file.escape_debug())?;
    }
    Ok(())
}

/// `src/vendor/` for all that lies in it, `src/go.mod` for itself.
fn group(path: &str) -> String {
    let mut parts = path.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(top), Some(second), Some(_)) => format!("{top}/{second}/"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 << 20, "10.0 MiB"),
            (3 << 40, "3072.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn many_files_become_directories() {
        let names: Vec<_> = (0..40).map(|n| format!("src/vendor/x/{n}.go")).collect();
        let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        files.push(("src/go.mod", 7));
        assert_eq!(
            summary(&files).unwrap(),
            "         7 B  src/go.mod\n        40 B  src/vendor/ (40 files)\n"
        );
    }
}

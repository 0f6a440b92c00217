//! A package as large as one may be, and one byte more.

use std::io::Write;

use crafted::{Crafted, tar};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::workshop::{Workshop, metadata, program};
use super::{STAGE, installs, the_peer_refuses};

/// The largest message that peers and their clients take (Fabric `internal/pkg/comm/config.go`).
const MESSAGE: usize = 100 << 20;

/// What Selvedge leaves of it for the proposal around a package.
const ROOM: usize = 64 << 10;

/// The most that the header of a gzip file has room for besides, and what stands around that: a
/// gzip file of nothing (RFC 1952).
const EXTRA: usize = 0xffff;
const AROUND: usize = 25;

#[test]
fn a_package_as_large_as_a_message_and_one_byte_more() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let large = workshop.crafted("large", package("large_1.0", MESSAGE - ROOM));
    workshop.inspect(&large).is_fine(&["large_1.0"]);
    installs(&turn, &large);

    let larger = workshop.crafted("larger", package("larger_1.0", MESSAGE - ROOM + 1));
    let told = format!("has {} bytes; an install carries at most", MESSAGE - ROOM + 1);
    workshop.inspect(&larger).refuses(&[&told]);
    let largest = workshop.crafted("largest", package("largest_1.0", MESSAGE + 1));
    the_peer_refuses(&turn, &largest, "larger than max");
}

/// A package of exactly this size, with much that nothing makes smaller.
fn package(label: &str, size: usize) -> Vec<u8> {
    let ballast = noise(size - 2 * EXTRA);
    let code = program("src/").into_iter().chain([Crafted::file("src/ballast.bin", ballast)]);
    let code = stored(&tar(code));
    let metadata = Crafted::file("metadata.json", metadata(label));
    let package = stored(&tar([metadata, Crafted::file("code.tar.gz", code)]));
    padded(package, size)
}

/// Gzip files may be joined.
fn padded(mut package: Vec<u8>, size: usize) -> Vec<u8> {
    while package.len() < size {
        let left = size - package.len();
        // The last but one leaves room for a whole one.
        let next = if left <= EXTRA + AROUND { left } else { EXTRA };
        let file = flate2::GzBuilder::new().extra(vec![0; next - AROUND]);
        let file = file.write(Vec::new(), Compression::none()).finish().unwrap();
        assert_eq!(file.len(), next, "a gzip file of nothing");
        package.extend(file);
    }
    assert_eq!(package.len(), size);
    package
}

/// A gzip file that is made no smaller.
fn stored(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Bytes without any order, always the same (Marsaglia's xorshift).
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(bytes / 8).flatten().collect()
}

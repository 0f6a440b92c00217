//! Archives and texts that are almost right.

use crafted::{Crafted, EntryType, gzip, tar};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};

/// What is done to bytes at last, wherever it may be.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
    Repeat(Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Change::Set(place, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Change::Insert(place, byte)),
        any::<Index>().prop_map(Change::Remove),
        any::<Index>().prop_map(Change::Cut),
        any::<Index>().prop_map(Change::Repeat),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        match change {
            Change::Set(place, byte) => bytes[place.index(length)] = *byte,
            Change::Insert(place, byte) => bytes.insert(place.index(length), *byte),
            Change::Remove(place) => drop(bytes.remove(place.index(length))),
            Change::Cut(place) => bytes.truncate(place.index(length)),
            Change::Repeat(place) => bytes.extend_from_within(place.index(length)..),
        }
    }
    bytes
}

/// Bytes that are `seed` more or less: as they are every other time.
pub(super) fn almost(
    seed: impl Strategy<Value = Vec<u8>>,
    most: usize,
) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop_oneof![Just(Vec::new()), vec(change(), 1..=most)];
    (seed, changes).prop_map(|(seed, changes)| changed(seed, &changes))
}

/// Where the fields of a header begin that Go looks at.
const FIELDS: [usize; 16] =
    [0, 99, 100, 108, 116, 124, 136, 156, 157, 257, 263, 329, 337, 345, 476, 508];

const NAMES: [&str; 10] =
    ["a", "b/c", "b/", "./a", "../a", "/a", "", "metadata.json", "a\u{e9}", "b//c/."];

const KEYS: [&str; 17] = [
    "path",
    "linkpath",
    "size",
    "uid",
    "gid",
    "mtime",
    "uname",
    "comment",
    "GNU.sparse.major",
    "GNU.sparse.minor",
    "GNU.sparse.map",
    "GNU.sparse.numblocks",
    "GNU.sparse.offset",
    "GNU.sparse.numbytes",
    "GNU.sparse.size",
    "GNU.sparse.realsize",
    "GNU.sparse.name",
];

const VALUES: [&str; 20] = [
    "",
    "0",
    "1",
    "2",
    "5",
    "-1",
    "+1",
    " 1",
    "1.5",
    "1.",
    ".5",
    "-1.5",
    "1e3",
    "0,1",
    "0,1,5,2",
    "9223372036854775807",
    "9223372036854775808",
    "a/b",
    "b\u{e9}/",
    "1\n",
];

/// What may be in an entry, whatever it is.
fn content() -> impl Strategy<Value = Vec<u8>> {
    // The map of a file with holes, in blocks of its own before the data.
    let map = |text: &str| {
        let mut blocks = text.as_bytes().to_vec();
        blocks.resize(512, 0);
        blocks.extend(b"12345");
        blocks
    };
    prop_oneof![
        3 => vec(any::<u8>(), 0..600),
        1 => Just(map("1\n0\n5\n")),
        1 => Just(map("2\n0\n2\n10\n3\n")),
        1 => select(&NAMES[..]).prop_map(|name| format!("{name}\0").into_bytes()),
    ]
}

/// An entry whose checksum is right, whatever else is not.
fn entry() -> impl Strategy<Value = Crafted> {
    let kind = select(&b"000015123467xgLKSA\0"[..]);
    let field = (select(&FIELDS[..]), 0..12_usize).prop_map(|(from, more)| (from + more).min(511));
    let edits = prop_oneof![3 => Just(Vec::new()), 1 => vec((field, any::<u8>()), 1..4)];
    let plain =
        (select(&NAMES[..]), kind, content(), edits).prop_map(|(name, kind, content, edits)| {
            Crafted::new(name, EntryType::new(kind), content).changed(|header| {
                for (place, byte) in &edits {
                    header.as_mut_bytes()[*place] = *byte;
                }
            })
        });
    let records = vec((select(&KEYS[..]), select(&VALUES[..])), 0..5);
    let records = records.prop_map(|fields| Crafted::pax(&fields));
    prop_oneof![3 => plain, 2 => records]
}

/// A tar archive.
pub(super) fn archive() -> impl Strategy<Value = Vec<u8>> {
    almost(vec(entry(), 0..5).prop_map(tar), 3)
}

/// A gzip file of up to two parts.
pub(super) fn compressed() -> impl Strategy<Value = Vec<u8>> {
    let parts = vec(vec(any::<u8>(), 0..100), 1..3);
    almost(parts.prop_map(|parts| parts.iter().flat_map(|part| gzip(part)).collect()), 3)
}

/// Texts that may be a `metadata.json`.
pub(super) fn metadata() -> impl Strategy<Value = Vec<u8>> {
    let seeds = [
        r#"{"type":"golang","path":"example.com/a","label":"basic_1.0"}"#,
        r#" {"Type":"node","LABEL":"\u00e9\ud83d\ude00\ud83d","label":null,"other":[1e9,{"a":-0.1}]}"#,
        r#"{"type":1,"path":true,"label":["a"]}"#,
        "{\"label\":\"\u{17f}\u{212a}\\n\\/\",\"\u{212a}\":{}}",
        "null",
    ];
    almost(select(seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()), 4)
}

/// Packages, wrong at one of their levels or at none.
pub(super) fn package() -> impl Strategy<Value = Vec<u8>> {
    const METADATA: &[u8] = br#"{"type":"golang","path":"a","label":"basic_1.0"}"#;
    let around = |metadata: &[u8], code: Vec<u8>| {
        tar([Crafted::file("metadata.json", metadata), Crafted::file("code.tar.gz", code)])
    };
    let good = || {
        let main = Crafted::file("src/main.go", "package main\n\nfunc main() {}\n");
        gzip(&tar([Crafted::file("src/go.mod", "module a\n\ngo 1.24\n"), main]))
    };
    prop_oneof![
        archive().prop_map(move |code| gzip(&around(METADATA, gzip(&code)))),
        almost(Just(good()), 3).prop_map(move |code| gzip(&around(METADATA, code))),
        metadata().prop_map(move |metadata| gzip(&around(&metadata, good()))),
        almost(Just(around(METADATA, good())), 3).prop_map(|outer| gzip(&outer)),
        almost(Just(gzip(&around(METADATA, good()))), 3),
    ]
}

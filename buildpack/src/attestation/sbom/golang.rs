//! The modules of a Go program, as its linker has noted them in it (`cmd/internal/obj` and
//! `debug/buildinfo` of Go; the text is that of `runtime/debug.ParseBuildInfo`). Of a program that was
//! not made by Go 1.18 or newer, nothing is told.

use std::fs::File;

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, SectionHeader};
use object::read::{ReadCache, ReadRef};

use super::component::{Component, Kind};

/// The section.
const SECTION: &[u8] = b".go.buildinfo";

/// How it begins.
const MAGIC: &[u8] = b"\xff Go buildinf:";

/// Where the flags are, and the flag for strings that follow.
const FLAGS: usize = 15;
const INLINE: u8 = 2;

/// Where the strings begin.
const STRINGS: usize = 32;

/// What frames the second string, in bytes.
const FRAME: usize = 16;

/// The most that is read of it, in bytes, and the most sections that a program may have to be looked
/// into: several times what the largest programs have.
const MOST_BYTES: u64 = 16 << 20;
const MOST_SECTIONS: usize = 4096;

/// The modules of a program.
pub(super) fn modules(program: &File) -> Vec<Component> {
    let cache = ReadCache::new(program);
    let noted = section(&cache).and_then(strings);
    noted.map(|(version, modules)| parse(&version, &modules)).unwrap_or_default()
}

fn section<'data>(data: impl ReadRef<'data>) -> Option<&'data [u8]> {
    let header = FileHeader64::<Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    if header.shnum(endian, data).ok()? > MOST_SECTIONS {
        return None;
    }
    let sections = header.sections(endian, data).ok()?;
    let (_, section) = sections.section_by_name(endian, SECTION)?;
    (section.sh_size(endian) <= MOST_BYTES).then(|| section.data(endian, data).ok())?
}

/// The version of Go, and the text about the modules.
fn strings(section: &[u8]) -> Option<(String, String)> {
    if !section.starts_with(MAGIC) || section.get(FLAGS)? & INLINE == 0 {
        return None;
    }
    let (version, rest) = string(section.get(STRINGS..)?)?;
    let (framed, _) = string(rest)?;
    let modules = framed.get(FRAME..framed.len().checked_sub(FRAME)?)?;
    let [version, modules] = [version, modules].map(|text| String::from_utf8(text.to_vec()));
    Some((version.ok()?, modules.ok()?))
}

/// A string after its length, and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut shift) = (0_u64, 0);
    let mut rest = bytes;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return rest.split_at_checked(usize::try_from(length).ok()?);
        }
    }
}

/// A module, as a line has it.
#[derive(Clone, Copy)]
struct Module<'a> {
    path: &'a str,
    version: Option<&'a str>,
    sum: Option<&'a str>,
}

impl<'a> Module<'a> {
    fn of(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let path = words.next()?;
        let mut word = || words.next().filter(|word| !word.is_empty());
        // Of the code in a directory, Go knows no version.
        let version = word().filter(|version| *version != "(devel)");
        Some(Self { path, version, sum: word() })
    }

    fn component(self, kind: Kind) -> Option<Component> {
        let (group, name) = match self.path.rsplit_once('/') {
            Some((group, name)) => (Some(group), name),
            None => (None, self.path),
        };
        let component = Component::package(kind, "golang", group, name, self.version)?;
        Some(match self.sum {
            Some(sum) => component.with("selvedge:go:sum", sum),
            None => component,
        })
    }

    /// What the module is replaced by: another one, or a directory, which has no version.
    fn replaced(self, other: Self) -> Option<Component> {
        if other.version.is_some() {
            return other.component(Kind::Library);
        }
        let component = Self { sum: None, version: None, ..self }.component(Kind::Library)?;
        Some(component.with("selvedge:go:replacedBy", other.path))
    }
}

/// What the text says, line by line.
fn parse(version: &str, text: &str) -> Vec<Component> {
    let mut components = Vec::new();
    let library = Component::package;
    let version = version.strip_prefix("go").and_then(|version| version.split(' ').next());
    components.extend(library(Kind::Library, "golang", None, "stdlib", version));
    let mut last = None;
    for line in text.lines() {
        let mut words = line.split('\t');
        match words.next() {
            Some("mod") => {
                let main = Module::of(words);
                components.extend(main.and_then(|main| main.component(Kind::Application)));
            }
            Some("dep") => {
                last = Module::of(words);
                components.extend(last.and_then(|module| module.component(Kind::Library)));
            }
            // The line before is of what is not in the program.
            Some("=>") => {
                if let (Some(module), Some(other)) = (last.take(), Module::of(words)) {
                    components.pop();
                    components.extend(module.replaced(other));
                }
            }
            _ => {}
        }
    }
    components
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    const MODULES: &str = "path\texample.com/asset/cmd\n\
        mod\texample.com/asset\t(devel)\t\n\
        dep\tgithub.com/Hyperledger/fabric-chaincode-go/v2\tv2.0.0\th1:IhCEDa==\n\
        dep\tgolang.org/x/net\tv0.1.0\th1:abc=\n\
        dep\texample.com/forked\tv1.0.0\n\
        =>\texample.com/fork\tv1.0.1\th1:def=\n\
        dep\texample.com/beside\tv0.0.0\n\
        =>\t../beside\t(devel)\t\n\
        build\t-compiler=gc\n\
        build\tGOOS=linux\n";

    fn length(bytes: usize) -> Vec<u8> {
        let (mut rest, mut coded) = (bytes, Vec::new());
        while rest >= 0x80 {
            coded.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
            rest >>= 7;
        }
        coded.push(u8::try_from(rest).unwrap());
        coded
    }

    /// What a linker notes.
    fn noted(version: &str, modules: &str) -> Vec<u8> {
        let mut section = MAGIC.to_vec();
        section.resize(STRINGS, 0);
        section[FLAGS] = INLINE;
        let framed = [&[b'<'; FRAME], modules.as_bytes(), &[b'>'; FRAME]].concat();
        for text in [version.as_bytes(), &framed] {
            section.extend(length(text.len()));
            section.extend(text);
        }
        section
    }

    /// A program in ELF with nothing but that section, and one for the sections' names.
    pub(in super::super) fn program() -> Vec<u8> {
        let (noted, names) = (noted("go1.26.8", MODULES), b"\0.go.buildinfo\0.shstrtab\0");
        let section = |name: u32, kind: u32, offset: usize, size: usize| {
            let mut header = [name.to_le_bytes(), kind.to_le_bytes()].concat();
            header.extend([0; 16]);
            header.extend((offset as u64).to_le_bytes());
            header.extend((size as u64).to_le_bytes());
            header.extend([0; 24]);
            header
        };
        let (first, second) = (64, 64 + noted.len());
        let table = second + names.len();
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        elf[16] = 2;
        elf[18] = 62;
        elf[20] = 1;
        elf[24] = 0x80;
        elf[40..48].copy_from_slice(&(table as u64).to_le_bytes());
        elf[52] = 64;
        elf[54] = 56;
        elf[58] = 64;
        elf[60] = 3;
        elf[62] = 2;
        elf.extend(&noted);
        elf.extend(names);
        elf.extend(section(0, 0, 0, 0));
        elf.extend(section(1, 1, first, noted.len()));
        elf.extend(section(15, 3, second, names.len()));
        elf
    }

    fn found(content: &[u8]) -> Vec<Component> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        modules(&file)
    }

    #[test]
    fn what_a_linker_has_noted() {
        let found = found(&program());
        let references: Vec<_> = found.iter().map(Component::reference).collect();
        assert_eq!(
            references,
            [
                "pkg:golang/stdlib@1.26.8",
                "pkg:golang/example.com/asset",
                "pkg:golang/github.com/hyperledger/fabric-chaincode-go/v2@v2.0.0",
                "pkg:golang/golang.org/x/net@v0.1.0",
                "pkg:golang/example.com/fork@v1.0.1",
                "pkg:golang/example.com/beside",
            ]
        );
        assert!(format!("{:?}", found[2]).contains("h1:IhCEDa=="));
        assert!(format!("{:?}", found[5]).contains("../beside"));
    }

    #[test]
    fn what_tells_nothing() {
        let whole = program();
        for content in [b"".to_vec(), b"#!/bin/sh\n".to_vec(), whole[..100].to_vec()] {
            assert_eq!(found(&content), []);
        }
        // The strings are elsewhere, where Go before 1.18 had them; or end beyond the section.
        for (place, byte) in [(64 + FLAGS, 0), (64 + STRINGS, 0xff)] {
            let mut other = whole.clone();
            other[place] = byte;
            assert_eq!(found(&other), [], "{place}");
        }
    }
}

//! A program as it lies on disk: what it was compiled for, and what it needs to be loaded.

use std::io::{self, Read, Seek};

use object::Endianness;
use object::elf::{
    ELFOSABI_LINUX, ELFOSABI_SYSV, EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_S390,
    EM_X86_64, ET_DYN, ET_EXEC, FileHeader32, FileHeader64, PT_INTERP,
};
use object::read::elf::{FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};

/// The variable that names the directories, separated by `:`, out of which a builder may take a
/// program of the peer's own machine that a package names.
pub const PROGRAMS_VARIABLE: &str = "SELVEDGE_PROGRAMS";

/// A Linux program in ELF, of which the headers were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    architecture: String,
    loader: Option<String>,
}

/// Why a file is no program that Linux runs by itself. Reads on from the file's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotExecutable {
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A text that an interpreter reads.
    #[error("is a script: what is to run it would have to be there, too; a program is in ELF")]
    Script,
    /// Compiled for something else than Linux.
    #[error("is a program for {0}: compile it for Linux")]
    System(&'static str),
    /// None of those.
    #[error("is no program in ELF")]
    Format,
    /// An object file, a library or a memory dump.
    #[error("is in ELF, but no program: a library or an object file, maybe")]
    Kind,
    /// Its headers contradict themselves.
    #[error("is a damaged program: {0}")]
    Damaged(String),
}

/// How programs begin that are none in ELF, and what they are for.
const OTHERS: [(&[u8], &str); 4] = [
    (b"MZ", "Windows"),
    (b"\xcf\xfa\xed\xfe", "macOS"),
    (b"\xce\xfa\xed\xfe", "macOS"),
    (b"\xca\xfe\xba\xbe", "macOS"),
];

/// What tells one kind of file from another, in bytes.
const BEGINNING: u64 = 16;

/// The most segments that a program may have: linkers make a dozen. What a file says of itself is
/// read into memory.
const MOST_SEGMENTS: usize = 1024;

/// The longest path, in bytes (`PATH_MAX`).
const LONGEST_PATH: u64 = 4096;

/// `e_machine`, by the names that Go and OCI have for it.
const ARCHITECTURES: [(u16, &str); 7] = [
    (EM_X86_64, "amd64"),
    (EM_AARCH64, "arm64"),
    (EM_386, "386"),
    (EM_ARM, "arm"),
    (EM_PPC64, "ppc64le"),
    (EM_S390, "s390x"),
    (EM_RISCV, "riscv64"),
];

/// The architecture of this machine, by the same names.
const HERE: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    std::env::consts::ARCH
};

impl Executable {
    /// Reads the headers of a file.
    pub fn read(file: impl Read + Seek) -> Result<Self, NotExecutable> {
        let cache = ReadCache::new(file);
        let data = &cache;
        let unread = |()| io::Error::other("it cannot be read to its end");
        let length = data.len().map_err(unread)?.min(BEGINNING);
        let beginning = data.read_bytes_at(0, length).map_err(unread)?;
        if beginning.starts_with(b"#!") {
            return Err(NotExecutable::Script);
        }
        if let Some((_, system)) = OTHERS.iter().find(|(begin, _)| beginning.starts_with(begin)) {
            return Err(NotExecutable::System(system));
        }
        match beginning {
            [0x7f, b'E', b'L', b'F', 2, ..] => Self::of::<FileHeader64<Endianness>, _>(data),
            [0x7f, b'E', b'L', b'F', 1, ..] => Self::of::<FileHeader32<Endianness>, _>(data),
            _ => Err(NotExecutable::Format),
        }
    }

    fn of<'data, H, R>(data: R) -> Result<Self, NotExecutable>
    where
        H: FileHeader<Endian = Endianness>,
        R: ReadRef<'data>,
    {
        let damaged = |error: object::Error| NotExecutable::Damaged(error.to_string());
        let header = H::parse(data).map_err(damaged)?;
        let endian = header.endian().map_err(damaged)?;
        if ![ELFOSABI_SYSV, ELFOSABI_LINUX].contains(&header.e_ident().os_abi) {
            return Err(NotExecutable::System("another system than Linux"));
        }
        // A library is like a program that can lie anywhere, but has nowhere to begin.
        let is_program = [ET_EXEC, ET_DYN].contains(&header.e_type(endian));
        if !is_program || header.e_entry(endian).into() == 0 {
            return Err(NotExecutable::Kind);
        }
        if header.phnum(endian, data).map_err(damaged)? > MOST_SEGMENTS {
            return Err(NotExecutable::Damaged(format!("over {MOST_SEGMENTS} segments")));
        }
        let segments = header.program_headers(endian, data).map_err(damaged)?;
        let of_loader = segments.iter().find(|segment| segment.p_type(endian) == PT_INTERP);
        let loader = match of_loader {
            Some(segment) if segment.p_filesz(endian).into() > LONGEST_PATH => {
                return Err(NotExecutable::Damaged("its loader is no path".to_owned()));
            }
            Some(segment) => segment.interpreter(endian, data).map_err(damaged)?,
            None => None,
        };
        let loader = loader.map(|path| String::from_utf8_lossy(path).into_owned());
        let machine = header.e_machine(endian);
        let known = ARCHITECTURES.iter().find(|(known, _)| *known == machine);
        let architecture =
            known.map_or_else(|| format!("machine {machine}"), |(_, name)| (*name).to_owned());
        Ok(Self { architecture, loader })
    }

    /// What it was compiled for, as Go and OCI call it: `amd64`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The architecture of this machine, if it was compiled for another one.
    pub fn is_foreign(&self) -> Option<&'static str> {
        (self.architecture != HERE).then_some(HERE)
    }

    /// The path of the program that loads it with the libraries that it needs; none if it was linked
    /// statically.
    pub fn loader(&self) -> Option<&str> {
        self.loader.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// The header of a program for amd64, which begins somewhere and has no segments.
    fn program() -> Vec<u8> {
        let mut header = vec![0; 64];
        header[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\x00");
        header[16] = 2;
        header[18] = 62;
        header[20] = 1;
        header[24] = 0x80;
        header[52] = 64;
        header[54] = 56;
        header
    }

    fn with(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut header = program();
        for (place, byte) in changes {
            header[*place] = *byte;
        }
        header
    }

    fn read(content: &[u8]) -> Result<Executable, NotExecutable> {
        Executable::read(Cursor::new(content))
    }

    #[test]
    fn what_it_was_compiled_for() {
        for (machine, architecture) in [(62, "amd64"), (183, "arm64"), (42, "machine 42")] {
            let executable = read(&with(&[(18, machine)])).unwrap();
            assert_eq!(executable.architecture(), architecture);
            assert_eq!(executable.is_foreign().is_none(), architecture == HERE);
            assert_eq!(executable.loader(), None);
        }
        // A program that can lie anywhere, linked statically.
        read(&with(&[(16, 3)])).unwrap();
    }

    #[test]
    fn what_loads_it() {
        let mut content = with(&[(32, 64), (56, 1)]);
        // One segment: the loader's name, behind this header.
        let mut segment = vec![0; 56];
        segment[0] = 3;
        segment[8] = 120;
        segment[32] = 10;
        content.extend(segment);
        content.extend(b"/lib/ld.so");
        *content.last_mut().unwrap() = 0;
        assert_eq!(read(&content).unwrap().loader(), Some("/lib/ld.s"));
        content[64 + 35] = 1;
        assert!(read(&content).unwrap_err().to_string().contains("its loader is no path"));
    }

    #[test]
    fn what_is_no_program() {
        for (content, reason) in [
            (b"".to_vec(), "is no program in ELF"),
            (b"text".to_vec(), "is no program in ELF"),
            (b"#!/bin/sh\n".to_vec(), "is a script"),
            (b"MZ......".to_vec(), "is a program for Windows"),
            (b"\xcf\xfa\xed\xfe".to_vec(), "is a program for macOS"),
            (program()[..40].to_vec(), "is a damaged program"),
            // FreeBSD's.
            (with(&[(7, 9)]), "is a program for another system than Linux"),
            // An object file, and a library.
            (with(&[(16, 1)]), "is in ELF, but no program"),
            (with(&[(16, 3), (24, 0)]), "is in ELF, but no program"),
            // Segments that are not there.
            (with(&[(32, 64), (56, 9)]), "is a damaged program"),
            (with(&[(32, 64), (57, 255)]), "is a damaged program: over"),
        ] {
            let error = read(&content).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{content:?}: {error}");
        }
    }
}

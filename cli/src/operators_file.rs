//! The operator's file, read from where it is and held against all that a launcher refuses it for.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use selvedge_config::{Fault, Faults, LONGEST, Operator, Place, Subject, USUAL_FILE, Variant};
use selvedge_manifest::{Lifting, check, check_variant};

/// Where an input is.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    StandardInput,
    File(PathBuf),
}

/// What an input says.
pub(crate) struct Text {
    /// What people know it by.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A file that a launcher would take.
pub(crate) struct Right {
    pub(crate) name: String,
    pub(crate) operator: Operator,
    /// What its overlays lift, as they are allowed to.
    pub(crate) liftings: Vec<Lifting>,
}

/// A file that a launcher would refuse.
#[derive(Debug)]
pub(crate) struct NotRight {
    pub(crate) name: String,
    pub(crate) faults: Faults,
}

impl Source {
    /// What was named so: `-` is standard input.
    pub(crate) fn named(path: PathBuf) -> Self {
        if path == Path::new("-") { Self::StandardInput } else { Self::File(path) }
    }

    /// The file that a launcher reads when none is named, if it is there.
    pub(crate) fn usual() -> Option<Self> {
        Path::new(USUAL_FILE).exists().then(|| Self::File(USUAL_FILE.into()))
    }

    /// Reads it, as far as a file is read at all.
    pub(crate) fn read(&self) -> anyhow::Result<Text> {
        let name = match self {
            Self::StandardInput => "<stdin>".to_owned(),
            Self::File(path) => path.display().to_string(),
        };
        let read = match self {
            Self::StandardInput => up_to_longest(io::stdin().lock()),
            Self::File(path) => File::open(path).and_then(up_to_longest),
        };
        let bytes = read.with_context(|| format!("cannot read {name}"))?;
        Ok(Text { name, bytes })
    }
}

fn up_to_longest(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Right {
    /// What a text says, if a launcher would take it.
    pub(crate) fn of(text: Text) -> Result<Self, NotRight> {
        let Text { name, bytes } = text;
        let held = Operator::read(&bytes).and_then(|operator| Ok((check(&operator)?, operator)));
        match held {
            Ok((liftings, operator)) => Ok(Self { name, operator, liftings }),
            Err(faults) => Err(NotRight { name, faults }),
        }
    }

    /// The file that is named, or what applies without one.
    pub(crate) fn of_source(source: Option<&Source>) -> anyhow::Result<Self> {
        match source {
            Some(source) => Ok(Self::of(source.read()?)?),
            None => Ok(Self {
                name: "what applies without a file".to_owned(),
                operator: Operator::default(),
                liftings: Vec::new(),
            }),
        }
    }

    /// How a chaincode runs by all overrides that are for it.
    pub(crate) fn variant(&self, subject: &Subject) -> Result<Variant, NotRight> {
        let held = self.operator.variant(subject).and_then(|variant| {
            check_variant(&variant)?;
            Ok(variant)
        });
        held.map_err(|faults| NotRight { name: self.name.clone(), faults })
    }
}

impl std::error::Error for NotRight {}

impl fmt::Display for NotRight {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, faults: Faults(faults) } = self;
        write!(out, "{name} is not right:")?;
        for fault in faults {
            write!(out, "\n{}", told(name, fault))?;
        }
        Ok(())
    }
}

/// A place as compilers write it, and editors read it.
pub(crate) fn at(name: &str, place: Option<Place>) -> String {
    place.map_or_else(
        || format!("{name}:"),
        |Place { line, column }| format!("{name}:{line}:{column}:"),
    )
}

/// A fault of a file as one line.
pub(crate) fn told(name: &str, fault: &Fault) -> String {
    let Fault { place, path, message } = fault;
    let colon = if path.is_empty() { "" } else { ": " };
    format!("{} {path}{colon}{message}", at(name, *place))
}

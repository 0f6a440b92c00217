//! What is wrong with an overlay, and where.

use std::fmt;

use crate::path::Path;

/// One thing that is wrong with an overlay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where: in the overlay, or in the template that it makes.
    pub path: Path,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.steps() {
            [] => out.write_str(&self.reason),
            _ => write!(out, "{}: {}", self.path, self.reason),
        }
    }
}

/// All that is wrong with an overlay, in the order of the paths; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Nothing wrong is no fault.
    pub(super) fn of(mut faults: Vec<Fault>) -> Result<(), Self> {
        faults.sort();
        faults.dedup();
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            let between = if number == 0 { "" } else { "\n" };
            write!(out, "{between}{fault}")?;
        }
        Ok(())
    }
}

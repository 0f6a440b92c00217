//! What goes into a package, as whoever builds it has it: what a package compiles to can only be
//! told from what is in it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Draft, Interrupt, WriteError};

impl Draft {
    /// Copies the files to where they lie in the package, below the directory `root`.
    pub fn copy_to(&self, root: &Path, interrupt: &Interrupt) -> Result<(), WriteError> {
        for file in &self.files {
            let target = file.path.below(root);
            let output = |source| WriteError::Output { path: target.clone(), source };
            let input = |source| WriteError::Input { path: PathBuf::from(&file.on_disk), source };
            if let Some(directory) = target.parent() {
                fs::create_dir_all(directory).map_err(output)?;
            }
            let mut copy = File::create(&target).map_err(output)?;
            let mut content = interrupt.heeded_by(File::open(&file.on_disk).map_err(input)?);
            match io::copy(&mut content, &mut copy) {
                Err(_) if interrupt.requested() => return Err(WriteError::Interrupted),
                copied => copied.map(drop).map_err(input)?,
            }
        }
        Ok(())
    }
}

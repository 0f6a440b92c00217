//! What becomes of a package whose code can be read, or why Selvedge refuses it.

use selvedge_package::{
    CONNECTION_FILE, Connection, ConnectionError, Handling, IMAGE_FILE, METADATA_FILE,
};

use super::report::{Refusal, RefusedBy};
use super::{CODE_FILE, ChaincodeType, Elsewhere, Metadata, Served};
use crate::language::Language;
use crate::named_image::{NamedImage, NamedImageError};
use crate::platform::Platform;
use crate::recipe;
use crate::source::Source;

/// Where the chaincode is if its code is not here, or why Selvedge refuses what is.
pub(super) fn judge(
    metadata: &Metadata,
    source: &Source,
) -> Result<Option<Elsewhere>, Vec<Refusal>> {
    let kind = &metadata.kind;
    match kind.handling() {
        Handling::Named => named(source).map(Some),
        Handling::Served => served(source).map(Some),
        Handling::Built | Handling::Declined => {
            if let Some(language) = Language::of(kind) {
                let refusal = refused_by_language(language, metadata, source);
                return refusal.map_or(Ok(None), |refusal| Err(vec![refusal]));
            }
            let taken = ChaincodeType::TAKEN.map(|kind| format!("`{kind}`")).join(", ");
            let reason = format!("has the type `{kind}`; Selvedge takes {taken}");
            Err(vec![refuse(METADATA_FILE, reason)])
        }
    }
}

fn refused_by_language(
    language: Language,
    metadata: &Metadata,
    source: &Source,
) -> Option<Refusal> {
    let here = Platform::host().unwrap_or(Platform::LinuxAmd64);
    let recipe = |platform| language.recipe(source, &metadata.path, platform);
    let refusal = recipe(here).err()?;
    // Peers run on other machines than the one where a package is looked at.
    if !language.is_compiled() && Platform::ALL.into_iter().any(|other| recipe(other).is_ok()) {
        return None;
    }
    let file = match refusal {
        recipe::Refusal::Path(_) => METADATA_FILE,
        recipe::Refusal::Code(_) => CODE_FILE,
    };
    Some(refuse(file, refusal.to_string()))
}

fn named(source: &Source) -> Result<Elsewhere, Vec<Refusal>> {
    NamedImage::of_code(source.root()).map(Elsewhere::Image).map_err(|error| match error {
        NamedImageError::Fault(fault) => vec![refuse(IMAGE_FILE, fault.to_string())],
        other => vec![unread(&other, IMAGE_FILE, source)],
    })
}

fn served(source: &Source) -> Result<Elsewhere, Vec<Refusal>> {
    let connection = Connection::of_code(source.root()).map_err(|error| match error {
        ConnectionError::Faults(faults) => {
            faults.iter().map(|fault| refuse(CONNECTION_FILE, fault.to_string())).collect()
        }
        other => vec![unread(&other, CONNECTION_FILE, source)],
    })?;
    Ok(Elsewhere::Server(Served::of(&connection)))
}

/// That a file is not there, or no file; and one of its name that is where nobody looks for it.
fn unread(error: &dyn std::error::Error, file: &str, source: &Source) -> Refusal {
    let mut paths = source.files().iter().map(|file| file.path.as_str());
    let another = paths.find(|path| path.rsplit('/').next() == Some(file));
    let another = another.map_or(String::new(), |path| format!(" (but {path})"));
    refuse(CODE_FILE, format!("{error}{another}"))
}

fn refuse(file: &str, reason: impl Into<String>) -> Refusal {
    Refusal::new(RefusedBy::Selvedge, file, reason)
}

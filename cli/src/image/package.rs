//! Whether an image is of a package: whether it says that it was made of this source.

use std::path::Path;

use anyhow::Context;
use selvedge_buildpack::package::{Inspection, Interrupt};
use selvedge_buildpack::source::Source;

use super::compared::Compared;
use super::report::Report;

/// Compares the sources.
pub(super) fn compare(package: &Path, image: &Report) -> anyhow::Result<Compared> {
    let inspection = Inspection::of(package, &Interrupt::default())?;
    let source = Source::open(inspection.code()).context("cannot read the package's code")?;
    let source = source.digest().context("cannot read the package's code")?;
    let report = &inspection.report;
    let package_id = report.package_id.as_ref().map(ToString::to_string);
    let stated = image.provenance.as_ref().map(|provenance| provenance.source);
    let reason = match (&report.elsewhere, image.source) {
        (Some(_), _) => Some("the package holds no code that an image is made of".to_owned()),
        (None, None) => Some("the image does not say of which source it was made".to_owned()),
        (None, Some(said)) if said != source => {
            Some(format!("the image says that it was made of {said}, and the package's is {source}"))
        }
        (None, Some(_)) => stated.filter(|stated| *stated != source).map(|stated| {
            format!("the image's provenance says that it was made of {stated}, and the package's is {source}")
        }),
    };
    Ok(Compared { package_id, source, reason })
}

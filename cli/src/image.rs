//! `selvedge inspect` of an image: what it says of itself, what is told of it beside it, and whether it
//! is of a package. Whoever made the image, or may write where it lies, chose all of that.

mod compared;
mod in_layout;
mod in_registry;
mod package;
mod place;
mod read;
mod report;
mod text;

use anyhow::{Context, bail};
use selvedge_buildpack::image::ReferrerKind;

use crate::outcome::Outcome;
use crate::resolved::{ImageForm, ImageRequest};
use crate::screen::{plain_json, show};

pub(crate) use self::place::Place;
use self::report::Report;

pub(crate) fn run(request: &ImageRequest) -> anyhow::Result<Outcome> {
    let read = match &request.place {
        Place::Layout { directory, which } => in_layout::read(directory, which.as_deref())?,
        Place::Registry(image) => in_registry::read(image, request.plain_http)?,
    };
    if request.form == ImageForm::Sbom {
        let Some(sbom) = read.document(ReferrerKind::Sbom) else {
            bail!("{} has no SBOM beside it", read.name)
        };
        let sbom: serde_json::Value =
            serde_json::from_slice(sbom).context("the SBOM beside the image is no JSON")?;
        show(&(plain_json(&serde_json::to_string_pretty(&sbom)?) + "\n"))?;
        return Ok(Outcome::Done);
    }
    let mut report = Report::of(&read);
    if let Some(package) = &request.package {
        report.package = Some(package::compare(package, &report)?);
    }
    let text = match request.form {
        ImageForm::Json => plain_json(&serde_json::to_string_pretty(&report)?) + "\n",
        _ => text::text(&report)?,
    };
    show(&text)?;
    let is_of = report.package.as_ref().is_none_or(|package| package.reason.is_none());
    Ok(if is_of { Outcome::Done } else { Outcome::Refused })
}

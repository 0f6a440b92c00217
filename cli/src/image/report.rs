//! What there is to say of an image.

use selvedge_buildpack::attestation::{Bom, Statement};
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::ReferrerKind;
use selvedge_buildpack::image::oci_spec::image::{ANNOTATION_REVISION, Descriptor};
use serde::Serialize;

use super::compared::Compared;
use super::read::Read;

/// The report. Keys may be added to its JSON; none changes.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// By which it is called.
    pub(crate) image: String,
    pub(crate) digest: Sha256,
    /// Such as `linux/amd64`.
    pub(crate) platform: String,
    /// The digest of the source that it says it was made of.
    pub(crate) source: Option<Sha256>,
    /// From the lowest up.
    pub(crate) layers: Vec<Layer>,
    /// What is stated beside it.
    pub(crate) provenance: Option<Provenance>,
    /// How much is told of what it is made of.
    pub(crate) sbom: Option<Sbom>,
    /// What is wrong with what is told.
    pub(crate) remarks: Vec<String>,
    /// Whether it is of a package, if that was asked.
    pub(crate) package: Option<Compared>,
}

/// A layer.
#[derive(Debug, Serialize)]
pub(crate) struct Layer {
    pub(crate) digest: String,
    /// In bytes, compressed.
    pub(crate) size: u64,
    /// What the image says it is.
    pub(crate) made_by: Option<String>,
}

/// What a statement states.
#[derive(Debug, Serialize)]
pub(crate) struct Provenance {
    pub(crate) builder: String,
    pub(crate) version: Option<String>,
    /// `built` or `found`.
    pub(crate) image: String,
    pub(crate) label: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) source: Sha256,
    pub(crate) toolchain: Option<String>,
    pub(crate) recipe: Vec<String>,
    pub(crate) made_with: Vec<Ingredient>,
}

/// What an image was made with.
#[derive(Debug, Serialize)]
pub(crate) struct Ingredient {
    pub(crate) part: String,
    pub(crate) name: Option<String>,
    pub(crate) digest: Option<Sha256>,
}

/// What is told of an image's parts.
#[derive(Debug, Serialize)]
pub(crate) struct Sbom {
    pub(crate) components: usize,
}

impl Report {
    /// What can be said of an image.
    pub(crate) fn of(read: &Read) -> Self {
        let mut remarks = Vec::new();
        let mut taken = |kind: ReferrerKind, fault: Option<String>| match fault {
            Some(fault) => {
                remarks.push(format!("the {kind} beside the image is not taken: {fault}"));
            }
            None => remarks.push(format!("there is no {kind} beside the image")),
        };
        let sbom = match read.document(ReferrerKind::Sbom).map(|json| sbom(json, read.digest)) {
            Some(Ok(sbom)) => Some(sbom),
            other => {
                taken(ReferrerKind::Sbom, other.and_then(Result::err));
                None
            }
        };
        let stated = read.document(ReferrerKind::Provenance);
        let provenance = match stated.map(|json| provenance(json, read.digest)) {
            Some(Ok(provenance)) => Some(provenance),
            other => {
                taken(ReferrerKind::Provenance, other.and_then(Result::err));
                None
            }
        };
        Self {
            image: read.name.clone(),
            digest: read.digest,
            platform: format!("{}/{}", read.configuration.os(), read.configuration.architecture()),
            source: source(read),
            layers: layers(read),
            provenance,
            sbom,
            remarks,
            package: None,
        }
    }
}

fn sbom(json: &[u8], image: Sha256) -> Result<Sbom, String> {
    let bom = Bom::parse(json)?;
    if !bom.is_about(image) {
        return Err("it is about another image".to_owned());
    }
    Ok(Sbom { components: bom.components() })
}

fn provenance(json: &[u8], image: Sha256) -> Result<Provenance, String> {
    let statement = Statement::parse(json)?;
    if !statement.is_about(image) {
        return Err("it is about another image".to_owned());
    }
    let (builder, version) = statement.builder();
    let made_with = statement.dependencies().iter().map(|part| Ingredient {
        part: part.name.clone(),
        name: part.uri.clone(),
        digest: part.digest(),
    });
    Ok(Provenance {
        builder: builder.to_owned(),
        version: version.map(str::to_owned),
        image: statement.seen().to_owned(),
        label: statement.label().to_owned(),
        kind: statement.language().to_owned(),
        source: statement.source(),
        toolchain: statement.toolchain().map(str::to_owned),
        recipe: statement.recipe().to_vec(),
        made_with: made_with.collect(),
    })
}

fn source(read: &Read) -> Option<Sha256> {
    let labels = read.configuration.config().as_ref()?.labels().as_ref()?;
    labels.get(ANNOTATION_REVISION)?.parse().ok()
}

/// The layers, each with the step of the history that made it, where there are as many.
fn layers(read: &Read) -> Vec<Layer> {
    let layers = read.manifest.layers();
    let history = read.configuration.history().as_deref().unwrap_or_default();
    let steps: Vec<_> = history.iter().filter(|step| step.empty_layer() != Some(true)).collect();
    let step = |number: usize| {
        let step = steps.get(number).filter(|_| steps.len() == layers.len())?;
        step.created_by().clone()
    };
    let layer = |(number, layer): (usize, &Descriptor)| Layer {
        digest: layer.digest().to_string(),
        size: layer.size(),
        made_by: step(number),
    };
    layers.iter().enumerate().map(layer).collect()
}

//! The report as a person reads it.

use std::fmt::{self, Write as _};

use super::report::{Provenance, Report};
use crate::listing;
use crate::screen::{BAD, BOLD, GOOD, plain};

/// The report.
pub(super) fn text(report: &Report) -> Result<String, fmt::Error> {
    let mut text = format!("{}\n", plain(&report.image));
    line(&mut text, "digest", &report.digest.to_string())?;
    line(&mut text, "platform", &report.platform)?;
    let unknown = "not said".to_owned();
    line(&mut text, "source", &report.source.map_or(unknown, |source| source.to_string()))?;
    line(&mut text, "layers", &report.layers.len().to_string())?;
    for layer in &report.layers {
        let made_by = layer.made_by.as_deref().map(|made_by| format!("  {}", plain(made_by)));
        let (size, made_by) = (listing::size(layer.size), made_by.unwrap_or_default());
        writeln!(text, "  {size:>10}  {}{made_by}", plain(&layer.digest))?;
    }
    if let Some(provenance) = &report.provenance {
        line(&mut text, "provenance", "as it is told beside the image, signed by nobody")?;
        stated(provenance, &mut text)?;
    }
    if let Some(sbom) = &report.sbom {
        line(&mut text, "SBOM", &format!("{} components (--sbom prints it)", sbom.components))?;
    }
    if !report.remarks.is_empty() {
        writeln!(text, "{BOLD}to know{BOLD:#}")?;
    }
    for remark in &report.remarks {
        writeln!(text, "  {}", plain(remark))?;
    }
    if let Some(package) = &report.package {
        let name = package.package_id.as_deref().unwrap_or("the package");
        match &package.reason {
            None => writeln!(text, "{GOOD}it is of {}{GOOD:#}", plain(name))?,
            Some(reason) => {
                writeln!(text, "{BAD}it is not of {}{BAD:#}\n  {}", plain(name), plain(reason))?;
            }
        }
    }
    Ok(text)
}

fn line(text: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(text, "{BOLD}{name:<10}{BOLD:#}  {}", plain(value))
}

fn stated(provenance: &Provenance, text: &mut String) -> fmt::Result {
    let mut part =
        |name: &str, value: &str| writeln!(text, "  {:<9}  {}", plain(name), plain(value));
    let version = provenance.version.as_deref().unwrap_or("of no version");
    let how = if provenance.image == "found" { "found, and not built by" } else { "built by" };
    part(how, &format!("{} {version}", provenance.builder))?;
    part("for", &format!("{} ({})", provenance.label, provenance.kind))?;
    if let Some(toolchain) = &provenance.toolchain {
        part("compiler", toolchain)?;
    }
    for made_with in &provenance.made_with {
        let name = made_with.name.as_deref().map(|name| format!("{name} ")).unwrap_or_default();
        // Names of images have it already.
        let digest = made_with.digest.map(|digest| digest.to_string()).unwrap_or_default();
        let digest = if name.contains(&digest) { String::new() } else { digest };
        part(&made_with.part, format!("{name}{digest}").trim_end())?;
    }
    part("recipe", &provenance.recipe.join("; "))
}

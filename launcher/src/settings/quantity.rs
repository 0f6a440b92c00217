//! Quantities as Kubernetes writes them.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Quantities by resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources(pub(crate) BTreeMap<String, String>);

impl FromStr for Resources {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (resource, amount) =
                    pair.split_once('=').ok_or("expected RESOURCE=QUANTITY")?;
                Ok((resource.trim().to_owned(), quantity(amount.trim())?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A quantity as Kubernetes writes it: a number and an optional suffix
/// (`k8s.io/apimachinery/pkg/api/resource/quantity.go`).
pub(crate) fn quantity(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    let known = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"].contains(&suffix);
    if known && digits.parse::<f64>().is_ok_and(|number| number >= 0.0) {
        Ok(text.into())
    } else {
        Err(format!("{text:?} is not a quantity such as 50m or 64Mi"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_resources() {
        let resources: Resources = "cpu=50m, memory=64Mi".parse().unwrap();
        assert_eq!(resources.0["cpu"], "50m");
        assert_eq!(resources.0["memory"], "64Mi");
        assert_eq!("".parse::<Resources>().unwrap(), Resources::default());
        for wrong in ["cpu", "cpu=", "cpu=fast", "memory=64MiB", "cpu=-1"] {
            assert!(wrong.parse::<Resources>().is_err(), "{wrong}");
        }
    }
}

//! How a build ended, in the words that go through a container's termination message.

use selvedge_buildpack::digest::Sha256;
use serde::{Deserialize, Serialize};

/// What Kubernetes keeps of a termination message, in bytes
/// (`pkg/kubelet/kuberuntime/kuberuntime_container.go`), less some room.
const LIMIT: usize = 3800;

/// How a build ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// With this image, which the registry has.
    Image(Sha256),
    /// Not yet: what the build depends on was fetched.
    Fetched,
    /// With the compiler's first errors.
    Compile(Vec<String>),
    /// The compiler got SIGKILL.
    Killed,
    /// With another reason.
    Failed(String),
}

impl Outcome {
    /// As JSON that Kubernetes keeps whole.
    pub(super) fn to_json(&self) -> String {
        let mut outcome = self.clone();
        loop {
            let json = serde_json::to_string(&outcome).unwrap_or_default();
            if json.len() <= LIMIT || !outcome.shorten() {
                return json;
            }
        }
    }

    /// Cuts the longest text in half; false when there is nothing to cut.
    fn shorten(&mut self) -> bool {
        let longest = match self {
            Self::Compile(lines) => lines.iter_mut().max_by_key(|line| line.len()),
            Self::Failed(reason) => Some(reason),
            Self::Image(_) | Self::Fetched | Self::Killed => None,
        };
        let Some(text) = longest.filter(|text| !text.is_empty()) else { return false };
        text.truncate(text.floor_char_boundary(text.len() / 2));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_into_a_termination_message() {
        let lines: Vec<String> = (0..5).map(|_| "\"\u{1}ä".repeat(500)).collect();
        for outcome in [Outcome::Compile(lines), Outcome::Failed("\\".repeat(9000))] {
            let json = outcome.to_json();
            assert!(json.len() <= LIMIT, "{}", json.len());
            let read: Outcome = serde_json::from_str(&json).unwrap();
            assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&outcome));
        }
    }

    #[test]
    fn survives_the_way() {
        for outcome in [
            Outcome::Image(Sha256::of(b"image")),
            Outcome::Compile(vec!["./main.go:7:2: undefined: fmt".into()]),
            Outcome::Killed,
            Outcome::Failed("no".into()),
        ] {
            assert_eq!(serde_json::from_str::<Outcome>(&outcome.to_json()).unwrap(), outcome);
        }
    }
}

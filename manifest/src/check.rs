//! The operator's overlays, held against what pods must be before there are any: every fault at
//! once, each with its place in the file.

use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::language::Language;
use selvedge_config::{Chaincode, Fault, Faults, Operator, Place, Variant};
use serde_json::Value;

use crate::baseline::{Lifted, Refusals};
use crate::blueprint::Unfit;
use crate::identity::Identity;
use crate::overlay::{self, Overlay};
use crate::path::{Path, Step};
use crate::sketch::Sketch;

/// The key of overlays.
const KEY: &str = "podTemplate";

/// Something that an overlay lifts of the pods' security, as it is allowed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifting {
    /// Where in the file.
    pub place: Option<Place>,
    /// The path there.
    pub path: String,
    /// What is lifted.
    pub lifted: Lifted,
}

/// Holds the overlays of all ways in which chaincode may run against what pods must be: those of the
/// defaults, and of the defaults with each override. Gives what they lift.
pub fn check(operator: &Operator) -> Result<Vec<Lifting>, Faults> {
    let (mut liftings, mut faults): (Vec<Lifting>, Vec<Fault>) = (Vec::new(), Vec::new());
    for variant in operator.variants() {
        match check_variant(variant) {
            Ok(more) => liftings.extend(more),
            Err(Faults(more)) => faults.extend(more),
        }
    }
    Faults::none_or(faults)?;
    // What the defaults lift is told once, however many overrides are laid over them.
    let is_same =
        |one: &Lifting, other: &Lifting| (one.place, &one.lifted) == (other.place, &other.lifted);
    let mut told: Vec<Lifting> = Vec::new();
    for lifting in liftings {
        if !told.iter().any(|other| is_same(other, &lifting)) {
            told.push(lifting);
        }
    }
    Ok(told)
}

/// Holds the overlay of one way in which chaincode may run against what pods must be.
pub fn check_variant(variant: &Variant) -> Result<Vec<Lifting>, Faults> {
    let chaincode = variant.chaincode();
    if chaincode.pod_template.is_empty() {
        return Ok(Vec::new());
    }
    let written = Value::Object(chaincode.pod_template.clone());
    let faults = match lifted(&written, chaincode) {
        Ok(lifted) => {
            let lifting = |lifted: Lifted| Lifting {
                place: place(variant, &written, &lifted.path, Whose::Overlay),
                path: path(variant, &lifted.path),
                lifted,
            };
            return Ok(lifted.into_iter().map(lifting).collect());
        }
        Err(faults) => faults,
    };
    let fault = |(at, message, whose): (Path, String, Whose)| Fault {
        place: place(variant, &written, &at, whose),
        path: path(variant, &at),
        message,
    };
    Faults::none_or(faults.into_iter().map(fault).collect()).map(|()| Vec::new())
}

/// Of what a path counts the items of lists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Overlay,
    /// The template with the overlay merged: an item may have another number there.
    Merged,
}

/// What an overlay lifts of the pods of a chaincode as good as any; what is wrong with it, each by
/// its path.
fn lifted(
    written: &Value,
    settings: &Chaincode,
) -> Result<Vec<Lifted>, Vec<(Path, String, Whose)>> {
    let told = |overlay::Faults(faults), whose| {
        let faults: Vec<overlay::Fault> = faults;
        faults.into_iter().map(|fault| (fault.path, fault.reason, whose)).collect()
    };
    Overlay::new(written).map_err(|faults| told(faults, Whose::Overlay))?;
    let identity = Identity::new("namespace", "label:0", "MSP", "namespace.peer");
    let content = PackageContent::Code(Language::Golang);
    match Sketch::new(identity, content, "namespace", settings.clone()).objects() {
        Ok((_, lifted)) => Ok(lifted),
        Err(Unfit::Overlay(faults)) => Err(told(faults, Whose::Merged)),
        Err(unfit @ Unfit::Unkept(_)) => {
            Err(vec![(Path::default(), unfit.to_string(), Whose::Overlay)])
        }
        Err(Unfit::Refused(Refusals(refusals))) => {
            let fault = |refusal: crate::baseline::Refusal| {
                let message = refusal.message();
                (refusal.path, message, Whose::Overlay)
            };
            Err(refusals.into_iter().map(fault).collect())
        }
    }
}

fn path(variant: &Variant, at: &Path) -> String {
    let at = at.to_string();
    let dot = if at.is_empty() || at.starts_with('[') { "" } else { "." };
    format!("{}.{KEY}{dot}{at}", variant.path())
}

/// Where in the file a path stands, or that of it which the overlay has.
fn place(variant: &Variant, written: &Value, at: &Path, whose: Whose) -> Option<Place> {
    let mut segments = vec![KEY.to_owned()];
    let mut value = Some(written);
    for step in at.steps() {
        let next = match step {
            Step::Key(key) => Some((key.clone(), value.and_then(|value| value.get(key)))),
            Step::Index(_) if whose == Whose::Merged => None,
            Step::Index(index) => {
                Some((index.to_string(), value.and_then(|value| value.get(index))))
            }
            Step::Item { key, value: wanted } => item(value, key, wanted),
        };
        let Some((segment, below)) = next else { break };
        segments.push(segment);
        value = below;
    }
    variant.place_of(segments.iter().map(String::as_str))
}

/// The item of a list that is told from the others by a key, and its number.
fn item<'a>(
    list: Option<&'a Value>,
    key: &str,
    wanted: &str,
) -> Option<(String, Option<&'a Value>)> {
    let is_wanted = |item: &Value| match item.get(key) {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Number(number)) => {
            wanted.parse().is_ok_and(|wanted: u64| number.as_u64() == Some(wanted))
        }
        _ => false,
    };
    let items = list?.as_array()?;
    let number = items.iter().position(is_wanted)?;
    Some((number.to_string(), items.get(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: selvedge/v1\nbackend: kubernetes\n";

    fn checked(text: &str) -> Result<Vec<Lifting>, Faults> {
        let text = format!("{HEAD}{text}");
        check(&Operator::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}")))
    }

    #[track_caller]
    fn is_told(text: &str, expected: &[&str]) {
        let told = checked(text).unwrap_err().to_string();
        assert_eq!(told.lines().collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn what_is_refused_has_its_place_in_the_file() {
        is_told(
            "chaincode:\n  podTemplate:\n    spec:\n      hostNetwork: true\n      containers:\n      \
             - name: chaincode\n        securityContext:\n          privileged: true\n      \
             - name: shell\n        image: busybox\n        securityContext: {capabilities: {drop: [ALL]}}\n",
            &[
                "6:20: chaincode.podTemplate.spec.hostNetwork: shares a namespace of the node (Pod \
                 Security, Host Namespaces); `hostNetwork` in `allow` permits it",
                "10:23: chaincode.podTemplate.spec.containers[name=\"chaincode\"].securityContext.privileged: \
                 a privileged container (Pod Security, Privileged Containers); `privileged` in `allow` \
                 permits it",
                "13:26: chaincode.podTemplate.spec.containers[name=\"shell\"].securityContext.\
                 allowPrivilegeEscalation: is not false (Pod Security, Privilege Escalation); \
                 `allowPrivilegeEscalation` in `allow` permits it",
            ],
        );
        // Of the merged template: its numbers of items are not the file's.
        is_told(
            "chaincode:\n  podTemplate:\n    spec:\n      containers:\n      - name: chaincode\n        \
             volumeMounts:\n        - mountPath: /data\n",
            &["7:9: chaincode.podTemplate.spec.containers[0].volumeMounts[0].name: missing"],
        );
        // Of the overlay by itself.
        is_told(
            "chaincode:\n  podTemplate:\n    spec:\n      containers:\n      - {name: chaincode}\n      - \
             {name: chaincode}\n",
            &[
                "8:16: chaincode.podTemplate.spec.containers[1].name: \"chaincode\" stands twice in this list",
            ],
        );
        is_told(
            "chaincode:\n  podTemplate:\n    spec:\n      containers:\n      - {name: chaincode, $patch: \
             delete}\n",
            &[
                "7:9: chaincode.podTemplate.spec.containers[name=\"chaincode\"]: the container is dropped; \
                 nothing permits it",
            ],
        );
    }

    #[test]
    fn an_override_answers_for_what_it_changes() {
        is_told(
            "chaincode:\n  podTemplate: {spec: {hostPID: true}}\n  allow: [hostPID]\noverrides:\n- match: \
             {label: a}\n  chaincode: {replicas: 2}\n- match: {label: b}\n  chaincode: {allow: []}\n- match: \
             {label: c}\n  chaincode: {podTemplate: {spec: {hostIPC: true}}}\n",
            &[
                "4:33: overrides[1].chaincode.podTemplate.spec.hostPID: shares a namespace of the node (Pod \
                 Security, Host Namespaces); `hostPID` in `allow` permits it",
                "12:45: overrides[2].chaincode.podTemplate.spec.hostIPC: shares a namespace of the node (Pod \
                 Security, Host Namespaces); `hostIPC` in `allow` permits it",
            ],
        );
    }

    #[test]
    fn what_is_lifted_is_told_once() {
        let text = "chaincode:\n  podTemplate: {spec: {hostPID: true}}\n  allow: [hostPID]\noverrides:\n\
                    - match: {label: a}\n  chaincode: {replicas: 2}\n";
        let told: Vec<String> = checked(text)
            .unwrap()
            .iter()
            .map(|one| format!("{}: {}: {}", one.place.unwrap().line, one.path, one.lifted))
            .collect();
        assert_eq!(told, ["4: chaincode.podTemplate.spec.hostPID: hostPID at spec.hostPID"]);
        assert_eq!(checked("chaincode: {replicas: 2}\n"), Ok(Vec::new()));
    }
}

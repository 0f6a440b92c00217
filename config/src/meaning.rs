//! What no schema can say: which values of a chaincode go together.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVarSource, ResourceRequirements};
use k8s_openapi::api::networking::v1::NetworkPolicyEgressRule;

use crate::amount::amount;
use crate::builds::Builds;
use crate::chaincode::Chaincode;
use crate::document::Node;
use crate::execution::{Execution, Function};
use crate::fault::{Fault, path_of};
use crate::source::{FileSource, Variable};

/// Where the chaincode's own files are (`core/container/dockercontroller/dockercontroller.go`).
const CREDENTIALS: &str = "/etc/hyperledger/fabric";

/// Where a chaincode may write.
const TMP: &str = "/tmp";

/// What a chaincode finds its peer by, and knows itself by.
const SET_ALREADY: [&str; 11] = [
    "CORE_CHAINCODE_ID_NAME",
    "CORE_PEER_TLS_ENABLED",
    "CORE_PEER_LOCALMSPID",
    "CORE_PEER_ADDRESS",
    "CORE_TLS_CLIENT_KEY_PATH",
    "CORE_TLS_CLIENT_CERT_PATH",
    "CORE_TLS_CLIENT_KEY_FILE",
    "CORE_TLS_CLIENT_CERT_FILE",
    "CORE_PEER_TLS_ROOTCERT_FILE",
    "HOME",
    "TMPDIR",
];

/// The beginnings of labels and annotations that tell whose a pod is.
const OURS: [&str; 2] = ["selvedge.dev/", "app.kubernetes.io/"];

/// The beginnings of annotations by which pods' security was said once, and is still understood.
const SECURITY: [&str; 2] = [
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
];

/// A path below `chaincode`, and what is wrong there.
pub(crate) type Senseless = (Vec<String>, String);

/// What was found below a path, each as a fault with its place.
pub(crate) fn placed(node: &Node, below: &[&str], found: Vec<Senseless>) -> Vec<Fault> {
    let fault = |(path, message): Senseless| {
        let segments = || path.iter().map(String::as_str);
        let place = node.place_of(segments());
        Fault { place, path: path_of(below.iter().copied().chain(segments())), message }
    };
    found.into_iter().map(fault).collect()
}

/// What does not go together.
pub(crate) fn senseless(chaincode: &Chaincode) -> Vec<Senseless> {
    let mut found = Vec::new();
    more_ahead_than_may_be(chaincode, &mut found);
    fewer_at_most_than_at_least(chaincode, &mut found);
    requests_beyond_limits(&chaincode.resources, &mut found);
    for (name, variable) in &chaincode.environment {
        environment(name, variable, &mut found);
    }
    for (path, source) in &chaincode.files {
        file(path, source, &chaincode.files, &mut found);
    }
    of_security(&chaincode.annotations, &mut found);
    open_rules(&chaincode.egress, &mut found);
    let marks = [("labels", &chaincode.labels), ("annotations", &chaincode.annotations)];
    for (key, marks) in marks {
        for name in marks.keys().filter(|name| OURS.iter().any(|ours| name.starts_with(ours))) {
            let reason = "is Selvedge's own; choose another prefix";
            found.push((vec![key.into(), name.clone()], reason.into()));
        }
    }
    found
}

/// What does not go together in what is said of builds: paths below `builds`.
pub(crate) fn senseless_builds(builds: &Builds) -> Vec<Senseless> {
    let mut found = Vec::new();
    requests_beyond_limits(&builds.resources, &mut found);
    found
}

/// Processes that are kept ahead are some of those that may be there.
fn more_ahead_than_may_be(chaincode: &Chaincode, found: &mut Vec<Senseless>) {
    let Some(Function { ahead, max_replicas, .. }) = chaincode.function() else { return };
    if ahead > max_replicas.get() {
        let reason = format!("is more than there may be at once (`maxReplicas`: {max_replicas})");
        found.push((vec!["function".into(), "ahead".into()], reason));
    }
}

/// Replicas that are there with little to do are some of those that may be there.
fn fewer_at_most_than_at_least(chaincode: &Chaincode, found: &mut Vec<Senseless>) {
    let Execution::Service { replicas, .. } = chaincode.execution() else { return };
    if chaincode.scaling.max_replicas.is_some_and(|most| most.get() < replicas) {
        let reason = format!("is less than there are in any case (`replicas`: {replicas})");
        found.push((vec!["scaling".into(), "maxReplicas".into()], reason));
    }
}

/// What a pod's own security is said by.
fn of_security(annotations: &BTreeMap<String, String>, found: &mut Vec<Senseless>) {
    let is_of_security = |name: &&String| SECURITY.iter().any(|start| name.starts_with(start));
    for name in annotations.keys().filter(is_of_security) {
        let reason = "is of the pods' security: say it in `podTemplate`, with what `allow` permits";
        found.push((vec!["annotations".into(), name.clone()], reason.into()));
    }
}

/// A rule without a place is one for all places, which is rarely meant.
fn open_rules(rules: &[NetworkPolicyEgressRule], found: &mut Vec<Senseless>) {
    for (number, rule) in rules.iter().enumerate() {
        if rule.to.as_ref().is_none_or(Vec::is_empty) {
            let reason = "lets everything be reached: say where in `to` (`ipBlock: {cidr: 0.0.0.0/0}` \
                          is everywhere)";
            found.push((vec!["egress".into(), number.to_string()], reason.into()));
        }
    }
}

fn requests_beyond_limits(resources: &ResourceRequirements, found: &mut Vec<Senseless>) {
    let (Some(requests), Some(limits)) = (&resources.requests, &resources.limits) else { return };
    for (resource, request) in requests {
        if let Some(limit) = limits.get(resource)
            && let (Some(least), Some(most)) = (amount(request), amount(limit))
            && least > most
        {
            found.push((
                ["resources", "requests", resource].map(str::to_owned).to_vec(),
                format!("a pod cannot be promised {}, its limit is {}", request.0, limit.0),
            ));
        }
    }
}

fn environment(name: &str, variable: &Variable, found: &mut Vec<Senseless>) {
    let path = || vec!["environment".to_owned(), name.to_owned()];
    // As the API has it since variables may have any name but for `=` (KEP-4369).
    if name.is_empty() || name.contains(['=', '\0']) {
        found.push((path(), "is no variable's name".into()));
    }
    if SET_ALREADY.contains(&name) {
        found.push((path(), "is set already: by it the chaincode finds its way".into()));
    }
    if let Variable::From(source) = variable {
        let EnvVarSource {
            config_map_key_ref, field_ref, resource_field_ref, secret_key_ref, ..
        } = source.as_ref();
        let given = [
            config_map_key_ref.is_some(),
            field_ref.is_some(),
            resource_field_ref.is_some(),
            secret_key_ref.is_some(),
        ];
        let given = given.into_iter().filter(|given| *given).count();
        if given != 1 {
            found.push((path(), format!("comes from one place, and {given} are named")));
        }
    }
}

fn file(
    path: &str,
    source: &FileSource,
    all: &BTreeMap<String, FileSource>,
    found: &mut Vec<Senseless>,
) {
    let mut tell = |reason: &str| found.push((vec!["files".into(), path.into()], reason.into()));
    let segments = || path.split('/').skip(1);
    let is_clean = segments().all(|segment| !matches!(segment, "" | "." | ".."));
    if !path.starts_with('/') || !is_clean || path.contains(':') {
        tell("is no absolute path, such as /etc/app/ca.pem");
    }
    let is_within = |path: &str, directory: &str| {
        path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let hidden = [CREDENTIALS, TMP].into_iter().chain(all.keys().map(String::as_str));
    for other in hidden.filter(|other| *other != path || *other == TMP) {
        if is_within(other, path) {
            tell(&format!("is a file, and cannot be a directory for {other}, too"));
        }
    }
    if is_within(path, CREDENTIALS) {
        tell("is where the chaincode's own certificates are; choose another directory");
    }
    if source.secret_key_ref.is_some() == source.config_map_key_ref.is_some() {
        tell("comes from `secretKeyRef` or from `configMapKeyRef`: name one of them");
    }
}

//! What no schema can say: which values of a chaincode go together.

use k8s_openapi::api::core::v1::{EnvVarSource, ResourceRequirements};

use crate::amount::amount;
use crate::chaincode::Chaincode;
use crate::source::{FileSource, Variable};

/// Where the chaincode's own files are (`core/container/dockercontroller/dockercontroller.go`).
const CREDENTIALS: &str = "/etc/hyperledger/fabric";

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

/// A path below `chaincode`, and what is wrong there.
pub(crate) type Senseless = (Vec<String>, String);

/// What does not go together.
pub(crate) fn senseless(chaincode: &Chaincode) -> Vec<Senseless> {
    let mut found = Vec::new();
    requests_beyond_limits(&chaincode.resources, &mut found);
    for (name, variable) in &chaincode.environment {
        environment(name, variable, &mut found);
    }
    for (path, source) in &chaincode.files {
        file(path, source, &mut found);
    }
    let marks = [("labels", &chaincode.labels), ("annotations", &chaincode.annotations)];
    for (key, marks) in marks {
        for name in marks.keys().filter(|name| OURS.iter().any(|ours| name.starts_with(ours))) {
            let reason = "is Selvedge's own; choose another prefix";
            found.push((vec![key.into(), name.clone()], reason.into()));
        }
    }
    found
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

fn file(path: &str, source: &FileSource, found: &mut Vec<Senseless>) {
    let mut tell = |reason: &str| found.push((vec!["files".into(), path.into()], reason.into()));
    let segments = || path.split('/').skip(1);
    let is_clean = segments().all(|segment| !matches!(segment, "" | "." | ".."));
    if !path.starts_with('/') || !is_clean || path.contains(':') {
        tell("is no absolute path, such as /etc/app/ca.pem");
    }
    let is_below = |directory: &str| {
        path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if is_below(CREDENTIALS) {
        tell("is where the chaincode's own certificates are; choose another directory");
    }
    if source.secret_key_ref.is_some() == source.config_map_key_ref.is_some() {
        tell("comes from `secretKeyRef` or from `configMapKeyRef`: name one of them");
    }
}

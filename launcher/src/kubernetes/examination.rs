//! What the `kubernetes` backend needs of its cluster, looked at: every right that it uses, the clock,
//! and what cannot be seen from a launcher.

use std::collections::BTreeSet;
use std::time::Duration;

use http::header::DATE;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::client::Body;
use kube::{Api, Client};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::task::JoinSet;

use super::failure::call;
use crate::error_chain::one_line;
use crate::examination::{Finding, bad, doubtful, good, unseen};

/// What the launcher may do to one kind of object.
struct Right {
    group: &'static str,
    /// With its subresource, if it is one: `pods/log`.
    resource: &'static str,
    verbs: &'static [&'static str],
}

/// All that it does where chaincode is built and runs: what `images/kubernetes/chaincode/role.yaml`
/// grants.
static WITH_CHAINCODE: [Right; 13] = [
    right("apps", "deployments", &["create", "list", "patch", "watch"]),
    right("apps", "replicasets", &["list", "watch"]),
    right("", "services", &["create", "delete", "list", "patch", "watch"]),
    right("discovery.k8s.io", "endpointslices", &["create", "list", "patch", "watch"]),
    right("networking.k8s.io", "networkpolicies", &["create", "list", "patch", "watch"]),
    right("policy", "poddisruptionbudgets", &["create", "list", "patch", "watch"]),
    right("", "secrets", &["create", "get", "patch"]),
    right("", "pods", &["list", "watch"]),
    right("", "pods/log", &["get"]),
    right("", "events", &["list", "watch"]),
    right("events.k8s.io", "events", &["create", "patch"]),
    right("batch", "jobs", &["create", "delete", "get", "list", "patch", "watch"]),
    right("coordination.k8s.io", "leases", &["create", "delete", "get", "list", "update"]),
];

/// What it does in the namespace of its own pod (`images/kubernetes/component/role.yaml`).
static WITH_ITS_POD: [Right; 1] = [right("", "pods", &["get"])];

/// What it does besides where both are the same (`images/kubernetes/same-namespace/role.yaml`).
static WITH_BOTH: [Right; 1] = [right("apps", "replicasets", &["get"])];

/// How many questions are asked at once.
const AT_ONCE: usize = 8;

/// By how much clocks may differ: a certificate is good from the moment on in which it was made.
const APART: Duration = Duration::from_secs(5);

const fn right(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
) -> Right {
    Right { group, resource, verbs }
}

/// Looks at the cluster by the namespaces in which chaincode runs, and that of the launcher's own pod.
pub(super) async fn examine(client: &Client, namespaces: &[String], own: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let with_chaincode: BTreeSet<&str> = namespaces.iter().map(String::as_str).collect();
    for namespace in with_chaincode.iter().copied().chain([own]).collect::<BTreeSet<_>>() {
        let questions = questions(with_chaincode.contains(namespace), namespace == own);
        found.extend(rights(client, namespace, questions).await);
    }
    found.push(clock(client).await);
    found.push(unseen(
        "network policies",
        "whether the cluster's network heeds them, no API tells: where it does not, chaincode and \
         builds reach all that there is",
        "ask whoever runs the cluster for its network plugin (Calico, Cilium and the like heed \
         them, Flannel alone does not)",
    ));
    found
}

/// A line for each right that is missing, or one for all that are there.
async fn rights(client: &Client, namespace: &str, questions: Vec<Question>) -> Vec<Finding> {
    let number = questions.len();
    let mut questions = questions.into_iter();
    let (mut asked, mut found) = (JoinSet::new(), Vec::new());
    loop {
        while asked.len() < AT_ONCE
            && let Some((right, verb)) = questions.next()
        {
            asked.spawn(ask(client.clone(), namespace.to_owned(), right, verb));
        }
        match asked.join_next().await {
            Some(Ok(answer)) => found.extend(answer),
            Some(Err(_)) => {}
            None => break,
        }
    }
    if found.is_empty() {
        found.push(good(
            format!("rights in {namespace}"),
            format!("the launcher may do all {number} things that it does there"),
        ));
    }
    found.sort_by(|one, other| one.about.cmp(&other.about));
    found
}

/// A right with one of its verbs.
type Question = (&'static Right, &'static str);

/// What the launcher has to be allowed in a namespace where chaincode runs, or its own pod, or both.
fn questions(with_chaincode: bool, with_its_pod: bool) -> Vec<Question> {
    let rights = [
        (with_chaincode, &WITH_CHAINCODE[..]),
        (with_its_pod, &WITH_ITS_POD),
        (with_chaincode && with_its_pod, &WITH_BOTH),
    ];
    let rights = rights.into_iter().filter(|(is_so, _)| *is_so).flat_map(|(_, rights)| rights);
    rights.flat_map(|right| right.verbs.iter().map(move |verb| (right, *verb))).collect()
}

/// Whether it may; what is wrong with it if not.
async fn ask(
    client: Client,
    namespace: String,
    right: &'static Right,
    verb: &'static str,
) -> Option<Finding> {
    let (resource, subresource) = match right.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (right.resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.clone()),
                group: Some(right.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client);
    let answer = call("ask for a right", api.create(&PostParams::default(), &review)).await;
    let answer = answer.map(|review| review.status.is_some_and(|status| status.allowed));
    verdict(&namespace, right, verb, answer.map_err(|error| one_line(&error)))
}

fn verdict(
    namespace: &str,
    right: &Right,
    verb: &str,
    answer: Result<bool, String>,
) -> Option<Finding> {
    let Right { group, resource, .. } = right;
    let about = format!("right to {verb} {resource} in {namespace}");
    match answer {
        Ok(true) => None,
        Ok(false) => Some(bad(
            about,
            format!("the launcher's service account may not {verb} {resource}"),
            format!(
                "grant it by a Role and a RoleBinding in {namespace}: apiGroups [\"{group}\"], \
                 resources [{resource}], verbs [{verb}] (images/kubernetes has all, in chaincode and component)"
            ),
        )),
        Err(reason) => Some(bad(about, reason, "look for what keeps the launcher from the API")),
    }
}

/// Asks the API server what time it is.
async fn clock(client: &Client) -> Finding {
    let about = "clock";
    let request = http::Request::get("/version").body(Body::empty());
    let Ok(request) = request else { return unseen(about, "the API cannot be asked", "") };
    let asked = OffsetDateTime::now_utc();
    let answer = match call("tell the time", client.send(request)).await {
        Ok(answer) => answer,
        Err(error) => {
            return unseen(about, one_line(&error), "look for what keeps it from the API");
        }
    };
    let told = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    told_time(asked, OffsetDateTime::now_utc(), told)
}

/// What the API server's word means, which was said between two moments, in whole seconds.
fn told_time(asked: OffsetDateTime, answered: OffsetDateTime, told: Option<&str>) -> Finding {
    let about = "clock";
    let Some(time) = told.and_then(|told| OffsetDateTime::parse(told, &Rfc2822).ok()) else {
        return unseen(about, "the API server does not tell the time", "");
    };
    let (early, late) = (asked - time, time - answered);
    let apart = early.max(late);
    if apart <= APART {
        return good(about, "it agrees with the API server's");
    }
    let ahead = if early > late { "ahead of" } else { "behind" };
    doubtful(
        about,
        format!("it is {} s {ahead} the API server's", apart.whole_seconds()),
        "have the node's clock set (NTP): certificates are good from the moment on in which they \
         were made",
    )
}

#[cfg(test)]
mod tests {
    use selvedge_proto::launcher::Verdict;

    use super::super::mock;
    use super::*;

    /// What a role in `images/kubernetes` grants, as lines of `GROUP RESOURCE VERB`.
    fn granted(role: &str) -> BTreeSet<String> {
        let images = concat!(env!("CARGO_MANIFEST_DIR"), "/../images/kubernetes");
        let path = format!("{images}/{role}/role.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let word = |line: &str| line.trim_matches(['[', ']', '"', ' ']).to_owned();
        let after = |line: &str, key: &str| {
            let rest = line.trim_start_matches(['-', ' ']).strip_prefix(key)?;
            Some(rest.split(',').map(word).collect::<Vec<_>>())
        };
        let (mut groups, mut resources, mut all) = (vec![], vec![], BTreeSet::new());
        for line in text.lines().map(str::trim) {
            groups = after(line, "apiGroups:").unwrap_or(groups);
            resources = after(line, "resources:").unwrap_or(resources);
            for verb in after(line, "verbs:").unwrap_or_default() {
                all.insert(format!("{} {} {verb}", groups[0], resources[0]));
            }
        }
        all
    }

    #[test]
    fn every_right_that_is_granted_is_looked_at_and_no_other() {
        let looked_at = |with_chaincode, with_its_pod| -> BTreeSet<String> {
            let questions = questions(with_chaincode, with_its_pod).into_iter();
            questions
                .map(|(right, verb)| format!("{} {} {verb}", right.group, right.resource))
                .collect()
        };
        let (chaincode, component) = (granted("chaincode"), granted("component"));
        assert_eq!(looked_at(true, false), chaincode);
        assert_eq!(looked_at(false, true), component);
        let all = &(&chaincode | &component) | &granted("same-namespace");
        assert_eq!(looked_at(true, true), all);
    }

    #[test]
    fn a_right_that_is_missing_is_named_with_the_way_to_it() {
        let logs = &WITH_CHAINCODE[8];
        assert_eq!(verdict("org1", logs, "get", Ok(true)), None);
        let missing = verdict("org1", logs, "get", Ok(false)).unwrap();
        assert_eq!(
            (missing.verdict, &*missing.about),
            (Verdict::Bad, "right to get pods/log in org1")
        );
        assert!(missing.way_out.contains("resources [pods/log], verbs [get]"), "{missing:?}");
        let unknown = verdict("org1", logs, "get", Err("cannot reach".into())).unwrap();
        assert_eq!(&*unknown.said, "cannot reach");
    }

    #[tokio::test]
    async fn an_api_that_grants_nothing() {
        let api = mock::Api::default();
        let client = api.ground("peer0").client.clone();
        // It knows nothing of reviews, and keeps them as they come: without an answer.
        let found = rights(&client, "org1", questions(true, false)).await;
        assert_eq!(found.len(), 44);
        assert!(found.iter().all(|finding| finding.verdict == Verdict::Bad));
    }

    #[test]
    fn clocks_that_agree_and_clocks_that_do_not() {
        let at = |second: i64| OffsetDateTime::from_unix_timestamp(1_764_000_000 + second).unwrap();
        let date = Some("Mon, 24 Nov 2025 16:00:00 GMT");
        for (asked, verdict, part) in [
            (0, Verdict::Good, "agrees"),
            (5, Verdict::Good, "agrees"),
            (60, Verdict::Doubtful, "60 s ahead of"),
            (-61, Verdict::Doubtful, "60 s behind"),
        ] {
            let found = told_time(at(asked), at(asked + 1), date);
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!(found.said.contains(part), "{found:?}");
        }
        assert_eq!(told_time(at(0), at(0), Some("soon")).verdict, Verdict::Unseen);
    }
}

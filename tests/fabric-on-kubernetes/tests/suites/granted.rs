//! What a launcher's service account may do: what the manifests grant and say what for, and nothing else.

use std::collections::BTreeSet;
use std::fs;

use cluster::{Cluster, Namespace};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use testbed::dist::workspace_dir;

/// Resources with their group, and what may be done to them, as `kubectl auth can-i --list` prints it.
pub(crate) type Rights = BTreeSet<(String, String)>;

/// What a Role of `images/kubernetes` grants.
pub(crate) fn granted(file: &str) -> Rights {
    let path = workspace_dir().join("images/kubernetes").join(file);
    let role: Role = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    role.rules.unwrap().iter().flat_map(rights_of).collect()
}

fn rights_of(rule: &PolicyRule) -> Vec<(String, String)> {
    let groups = rule.api_groups.as_ref().unwrap();
    let resources = rule.resources.as_ref().unwrap();
    let named = groups.iter().flat_map(|group| {
        resources.iter().map(move |resource| match &**group {
            "" => resource.clone(),
            group => format!("{resource}.{group}"),
        })
    });
    named.map(|resource| (resource, rule.verbs.join(" "))).collect()
}

/// What the account may do in a namespace that another account of its own may not.
fn rights(cluster: &Cluster, (account, of): (&str, &str), namespace: &str) -> Rights {
    let all = |account: &str| -> Rights {
        let account = format!("--as=system:serviceaccount:{of}:{account}");
        let list = ["auth", "can-i", "--list", "--no-headers", &account, "--namespace", namespace];
        let list = cluster.kubectl().run(&list).unwrap();
        list.lines()
            .map(|line| {
                let (resource, rest) = line.split_once(' ').unwrap_or((line, ""));
                let verbs = rest.rsplit_once('[').map_or(rest, |(_, verbs)| verbs);
                (resource.to_owned(), verbs.trim_end_matches(']').to_owned())
            })
            .collect()
    };
    all(account).difference(&all("nobody")).cloned().collect()
}

/// That the launcher of a peer may do where the chaincode runs what it is granted for that, of what is
/// the peers' see its own pod, and nothing anywhere else.
pub(crate) fn assert_exactly(
    cluster: &Cluster,
    account: &str,
    peers: &Namespace,
    chaincode: &Namespace,
) {
    let rights = |namespace: &str| rights(cluster, (account, peers.name()), namespace);
    assert_eq!(rights(chaincode.name()), granted("chaincode/role.yaml"));
    assert_eq!(rights(peers.name()), granted("component/role.yaml"));
    assert_eq!(granted("component/role.yaml"), [("pods".to_owned(), "get".to_owned())].into());
    for elsewhere in ["default", "kube-system"] {
        assert_eq!(rights(elsewhere), Rights::new(), "{elsewhere}");
    }
}

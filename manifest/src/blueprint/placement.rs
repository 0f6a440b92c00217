//! On which nodes a chaincode's pods may run.

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    PreferredSchedulingTerm,
};
use selvedge_config::PeerNode;

/// How much a pod is drawn to its peer's node, of at most 100.
const PULL: i32 = 100;

/// What is said of nodes, and the binding to the peer's. By its name, not a label: a label may be
/// missing or shared.
pub(super) fn affinity(said: Option<&Affinity>, peer: PeerNode, node: &str) -> Option<Affinity> {
    let mut affinity = said.cloned();
    if peer == PeerNode::None {
        return affinity;
    }
    let of_nodes = affinity.get_or_insert_default().node_affinity.get_or_insert_default();
    match peer {
        PeerNode::Required => require(of_nodes, node),
        PeerNode::Preferred => of_nodes
            .preferred_during_scheduling_ignored_during_execution
            .get_or_insert_default()
            .push(PreferredSchedulingTerm { weight: PULL, preference: is_named(node) }),
        PeerNode::None => {}
    }
    affinity
}

/// A pod goes where any of the terms holds: so each of them names the node.
fn require(of_nodes: &mut NodeAffinity, node: &str) {
    let required =
        of_nodes.required_during_scheduling_ignored_during_execution.get_or_insert_default();
    let NodeSelector { node_selector_terms: terms } = required;
    if terms.is_empty() {
        terms.push(NodeSelectorTerm::default());
    }
    for term in terms {
        term.match_fields.get_or_insert_default().push(has_name(node));
    }
}

fn is_named(node: &str) -> NodeSelectorTerm {
    NodeSelectorTerm { match_fields: Some(vec![has_name(node)]), ..NodeSelectorTerm::default() }
}

fn has_name(node: &str) -> NodeSelectorRequirement {
    NodeSelectorRequirement {
        key: "metadata.name".into(),
        operator: "In".into(),
        values: Some(vec![node.into()]),
    }
}

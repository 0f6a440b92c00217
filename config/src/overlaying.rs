//! One tree of values laid over another, key by key.

use crate::document::{Content, Entry, Node};

/// How a map is laid over another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Key by key, and an empty value takes back what was said before.
    Keys,
    /// The entries are one thing each: of two that are both given, the later one counts whole.
    Entries,
    /// Key by key, and an empty value is kept for whom it is meant: a pod's template.
    Overlay,
}

impl Manner {
    /// The manner below a key.
    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Overlay, _) | (_, "podTemplate") => Self::Overlay,
            (_, "environment" | "files") => Self::Entries,
            _ => Self::Keys,
        }
    }
}

/// Lays a tree over another: maps are merged, everything else is replaced.
pub(crate) fn lay_over(base: &mut Node, over: &Node) {
    lay(base, over, Manner::Keys);
}

fn lay(base: &mut Node, over: &Node, manner: Manner) {
    let (Content::Map(entries), Content::Map(overs)) = (&mut base.content, &over.content) else {
        base.clone_from(over);
        return;
    };
    base.place = over.place.or(base.place);
    for over in overs {
        let takes_back = over.value.is_null() && manner != Manner::Overlay;
        let there = entries.iter().position(|entry| entry.key == over.key);
        match there {
            Some(index) if takes_back => {
                entries.remove(index);
            }
            Some(index) if manner == Manner::Entries => entries[index] = over.clone(),
            Some(index) => {
                let entry = &mut entries[index];
                entry.place = over.place;
                lay(&mut entry.value, &over.value, manner.below(&over.key));
            }
            None if takes_back => {}
            None => entries
                .push(Entry { value: given(&over.value, manner.below(&over.key)), ..over.clone() }),
        }
    }
}

/// The tree without what takes something back.
pub(crate) fn what_is_given(node: &Node) -> Node {
    given(node, Manner::Keys)
}

fn given(node: &Node, manner: Manner) -> Node {
    let content = match &node.content {
        Content::Scalar(value) => Content::Scalar(value.clone()),
        Content::List(items) => {
            Content::List(items.iter().map(|item| given(item, manner)).collect())
        }
        Content::Map(entries) => {
            let is_kept = |entry: &&Entry| manner == Manner::Overlay || !entry.value.is_null();
            let entry = |entry: &Entry| {
                let value = given(&entry.value, manner.below(&entry.key));
                Entry { value, ..entry.clone() }
            };
            Content::Map(entries.iter().filter(is_kept).map(entry).collect())
        }
    };
    Node { place: node.place, content }
}

/// The tree without any empty value of a map.
pub(crate) fn without_nulls(node: &Node) -> Node {
    let content = match &node.content {
        Content::Scalar(value) => Content::Scalar(value.clone()),
        Content::List(items) => Content::List(items.iter().map(without_nulls).collect()),
        Content::Map(entries) => {
            let kept = entries.iter().filter(|entry| !entry.value.is_null());
            let entry =
                |entry: &Entry| Entry { value: without_nulls(&entry.value), ..entry.clone() };
            Content::Map(kept.map(entry).collect())
        }
    };
    Node { place: node.place, content }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn laid(base: Value, over: Value) -> Value {
        let mut base = Node::of(base);
        lay_over(&mut base, &Node::of(over));
        base.value()
    }

    #[test]
    fn maps_are_merged_and_lists_replaced() {
        assert_eq!(
            laid(
                json!({"a": {"b": 1, "c": [1, 2]}, "d": "x"}),
                json!({"a": {"c": [3], "e": {"f": 1, "g": null}}, "d": "y"})
            ),
            json!({"a": {"b": 1, "c": [3], "e": {"f": 1}}, "d": "y"})
        );
    }

    #[test]
    fn an_empty_value_takes_back() {
        assert_eq!(
            laid(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null}})),
            json!({"a": {"c": 2}})
        );
    }

    #[test]
    fn a_variable_is_one_thing() {
        let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
        let config = json!({"configMapKeyRef": {"name": "c", "key": "k"}});
        assert_eq!(
            laid(
                json!({"environment": {"A": secret, "B": "1"}}),
                json!({"environment": {"A": config}})
            ),
            json!({"environment": {"A": config, "B": "1"}})
        );
    }
}

//! One way in which chaincode may run by a file, and where the file says so.

use crate::chaincode::Chaincode;
use crate::document::Node;
use crate::fault::{Fault, Faults, path_of};
use crate::meaning::{placed, senseless};
use crate::overlaying::what_is_given;
use crate::place::Place;

/// The defaults, or these with what overrides lay over them.
#[derive(Clone, Debug)]
pub struct Variant {
    chaincode: Chaincode,
    node: Node,
    /// The override that is laid over the defaults, counted from 0.
    number: Option<usize>,
}

impl Variant {
    /// What a tree says, which is the defaults with one override laid over them or with all that
    /// are for somebody.
    pub(crate) fn of(node: Node, number: Option<usize>) -> Result<Self, Faults> {
        let chaincode = serde_json::from_value(what_is_given(&node).value())
            .map_err(|error| Faults::whole(error.to_string()))?;
        Ok(Self { chaincode, node, number })
    }

    /// How chaincode runs.
    pub fn chaincode(&self) -> &Chaincode {
        &self.chaincode
    }

    pub(crate) fn into_chaincode(self) -> Chaincode {
        self.chaincode
    }

    /// The path of the map in the file that it is from: `chaincode`, or `overrides[0].chaincode`.
    pub fn path(&self) -> String {
        path_of(self.segments().iter().map(String::as_str))
    }

    /// Where the value at a path below `chaincode` stands, or that of it which is there; `None` of
    /// what nobody wrote.
    pub fn place_of<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<Place> {
        self.node.place_of(path)
    }

    /// What does not go together in it.
    pub(crate) fn senseless(&self) -> Vec<Fault> {
        let below = self.segments();
        let below: Vec<&str> = below.iter().map(String::as_str).collect();
        placed(&self.node, &below, senseless(&self.chaincode))
    }

    fn segments(&self) -> Vec<String> {
        match self.number {
            Some(number) => vec!["overrides".into(), number.to_string(), "chaincode".into()],
            None => vec!["chaincode".into()],
        }
    }
}

//! What of the pods' security an overlay may lift.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that an overlay may lift where it is named.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Allowance {
    /// The pod is on its node's network.
    HostNetwork,
}

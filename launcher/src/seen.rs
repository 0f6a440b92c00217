//! What is kept for those who look on: lines of chaincodes, and builds.

use crate::build_records::BuildRecords;
use crate::logs::Logs;

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) logs: Logs,
    pub(crate) builds: BuildRecords,
}

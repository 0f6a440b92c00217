//! A load that goes on while a test changes something, and that must notice nothing of it.

use std::time::Duration;

use crate::gateway::{Gateway, LoadReport, Op, Pending};

/// Longer than any test: a load is ended by who began it.
const ENDLESS: Duration = Duration::from_mins(30);

/// Sixteen clients of a ledger: half of them read the key `k`, half of them write.
pub struct Load([(Gateway, Pending); 2]);

impl Load {
    /// How many clients there are of each kind.
    pub const CLIENTS: u64 = 8;

    /// Begins it, with clients that connect so; returns when both kinds are at work.
    pub fn begin(connect: impl Fn() -> Gateway) -> Self {
        let begin = |op, arguments: &[&str]| {
            let mut gateway = connect();
            let load = gateway.start_load_for(op, Self::CLIENTS, ENDLESS, arguments);
            load.await_start();
            (gateway, load)
        };
        Self([begin(Op::Evaluate, &["Get", "k"]), begin(Op::Submit, &["Put", "key-%d", "v"])])
    }

    /// Ends it.
    ///
    /// # Panics
    ///
    /// When a single call has failed.
    pub fn assert_unharmed(self) {
        for report in self.end() {
            report.assert_unharmed();
        }
    }

    /// Ends it; what came of the reads and of the writes.
    pub fn end(self) -> [LoadReport; 2] {
        self.0.map(|(mut gateway, load)| gateway.end_load(load))
    }
}

//! What a chaincode writes is in the peer's log and in the launcher's while it runs.

use e2e::Op;
use serde_json::json;

use crate::shared::{BUILDER, MSP_ID, PROMPT, deploy_ledger, gateway, on_fabric, one};

#[test]
fn a_line_is_in_both_logs_at_once_also_after_a_new_start() {
    // What crashes its process would crash the next one as well, which then had to wait.
    let spec = one("lines").say("chaincode.replay", json!(false));
    on_fabric(&spec, async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        deploy_ledger(fabric, "ledger");
        let mut ledger = gateway(fabric, peer, "ledger");
        for line in ["the first of its lines", "a line after a new start"] {
            ledger.call(Op::Evaluate, &["Log", line]).unwrap();
            peer.await_line("peer", &[BUILDER, line], PROMPT).await.unwrap();
            peer.await_line("launcher", &[line], PROMPT).await.unwrap();
            ledger.call(Op::Evaluate, &["Crash"]).unwrap_err();
        }
        let log = peer.log("peer").await.unwrap();
        let once = format!("{BUILDER} the first of its lines");
        assert_eq!(log.matches(&once).count(), 1, "{log}");
    });
}

//! The chaincodes that there are: what an override in the operator's file can be for.

use std::collections::BTreeSet;

use selvedge_config::{Operator, Subject};
use selvedge_manifest::label;
use selvedge_proto::launcher::ChaincodeStatus;
use tracing::warn;

use crate::configuration::Configuration;
use crate::running::Running;

/// Says of each new file which of its overrides are for none of those of this peer; never returns.
pub(crate) async fn look_for_overrides_of_nobody(
    running: Running,
    peer: String,
    mut configuration: Configuration,
) {
    loop {
        let operator = configuration.changed().await;
        for line in unmatched(&subjects(&running, &peer), &operator) {
            warn!("{line}");
        }
    }
}

/// Whom overrides may be for.
fn subjects(running: &Running, peer: &str) -> Vec<Subject> {
    let subject = |status: ChaincodeStatus| Subject {
        label: label(&status.package_id).to_owned(),
        msp: status.msp_id,
        peer: if status.peer.is_empty() { peer.to_owned() } else { status.peer },
    };
    let all: BTreeSet<_> = running.standings().into_iter().map(subject).collect();
    all.into_iter().collect()
}

/// A line for each override that is for none of those that there are.
fn unmatched(there: &[Subject], operator: &Operator) -> Vec<String> {
    let names: Vec<String> = there.iter().map(|it| format!("{} of {}", it.label, it.msp)).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let line = |number| {
        format!("overrides[{number}] is for no chaincode that runs here; there are: {names}")
    };
    operator.unmatched(there).into_iter().map(|unmatched| line(unmatched.number)).collect()
}

#[cfg(test)]
mod tests {
    use selvedge_proto::launcher::RunStart;

    use super::*;
    use crate::caller::Caller;
    use crate::standing::Standing;

    #[tokio::test]
    async fn an_override_for_nobody_is_told_with_who_is_there() {
        let operator = Operator::read(
            b"apiVersion: selvedge/v1\noverrides:\n- match: {label: 'basic_*'}\n  chaincode: {}\n\
              - match: {label: 'other_*'}\n  chaincode: {}\n",
        );
        let operator = operator.unwrap();
        let running = Running::default();
        let told = || unmatched(&subjects(&running, "peer"), &operator);
        assert_eq!(told().len(), 2);
        let basic = |peer_address: &str| {
            let start = RunStart {
                package_id: "basic_1:01".into(),
                msp_id: "Org1MSP".into(),
                peer_address: peer_address.into(),
                ..RunStart::default()
            };
            Standing::new(&start, &Caller::Beside)
        };
        let one = running.begin(basic("a:7052")).await.unwrap();
        let same = running.begin(basic("b:7052")).await.unwrap();
        let expected =
            "overrides[1] is for no chaincode that runs here; there are: basic_1 of Org1MSP";
        assert_eq!(told(), [expected]);
        drop(one);
        assert_eq!(told(), [expected]);
        drop(same);
        assert_eq!(told().len(), 2);
    }
}

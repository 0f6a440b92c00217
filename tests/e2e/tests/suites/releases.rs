//! A stage of each Fabric release, for suites whose tests run on all of them: the ledger contract
//! as `ledger` and as `other`. Of chaincode whose name begins with `once-` no transaction is run
//! again, and of `many-` there are sixteen replicas.

use e2e::{SharedStage, Stage, StageSpec};
use serde_json::{Value, json};
use testbed::{NetworkSpec, PeerSpec, Release};

use crate::{ledger, link};

pub(crate) static V3_1_1: SharedStage = SharedStage::new(|| raise(Release::V3_1_1));
pub(crate) static V2_5_0: SharedStage = SharedStage::new(|| raise(Release::V2_5_0));

/// Makes a test of each function, on each release.
macro_rules! on_each_release {
    ($($test:ident),+ $(,)?) => {
        on_each_release!(in v3_1_1 on V3_1_1: $($test),+);
        on_each_release!(in v2_5_0 on V2_5_0: $($test),+);
    };
    (in $module:ident on $release:ident: $($test:ident),+) => {
        mod $module {
            use $crate::releases::$release as STAGE;
            $(
                #[test]
                fn $test() {
                    super::$test(&STAGE.enter());
                }
            )+
        }
    };
}
pub(crate) use on_each_release;

fn raise(release: Release) -> Stage {
    let settings = vec![("overrides", overrides(&[]))];
    let stage = Stage::raise(&StageSpec { network, settings, ..StageSpec::new(release) });
    ledger::deploy(&stage, "ledger");
    ledger::deploy(&stage, "other");
    stage
}

/// What the operator's file says of some chaincodes, and these overrides besides.
pub(crate) fn overrides(more: &[Value]) -> Value {
    let once = json!({"match": {"label": "once-*"}, "chaincode": {"replay": false}});
    let many = json!({"match": {"label": "many-*"}, "chaincode": {"replicas": 16}});
    [once, many].iter().chain(more).cloned().collect()
}

fn network(network: &mut NetworkSpec) {
    link::watched(network);
    for peer in &mut network.peers {
        fill_in(peer);
        // No less than a shim writes at once in any case.
        let batch = "CORE_CHAINCODE_RUNTIMEPARAMS_MAXSIZEWRITEBATCH";
        peer.environment.insert(batch.to_owned(), "100".into());
        peer.work_side_by_side();
    }
}

/// Has the peer fill in its own host for `{{.host}}` in a package that says where its chaincode is
/// served, by the variable of Fabric's own builder (`ccaas_builder/cmd/build/main.go`).
fn fill_in(peer: &mut PeerSpec) {
    let variable = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG";
    peer.environment.insert(variable.to_owned(), r#"{"host":"127.0.0.1"}"#.into());
    for builder in &mut peer.builders {
        builder.propagate_environment.push(variable.to_owned());
    }
}

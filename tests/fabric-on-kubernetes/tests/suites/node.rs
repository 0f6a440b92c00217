//! Node chaincode in the cluster: built by a Job, run over the runtime's image.

use e2e::chaincode_dir;
use fabric_on_kubernetes::Fabric;

use crate::living::{lives_on, outlives_its_pod};
use crate::shared::{
    LIMIT, MSP_ID, deploy, deploy_package, install_again, on_fabric, one, package, package_by_peer,
};

#[test]
fn javascript_and_typescript_are_built_found_and_live_on() {
    on_fabric(&one("node"), async |_, fabric| {
        javascript(fabric).await;
        typescript(fabric).await;
    });
}

async fn javascript(fabric: &Fabric) {
    let peer = fabric.peer(MSP_ID);
    let source = chaincode_dir("javascript");
    let of_peer = package_by_peer(fabric, "node", &source, "javascript_1.0");
    let package_id = deploy_package(fabric, &of_peer, "javascript");
    outlives_its_pod(fabric, "javascript", &package_id).await;
    // What was built once is found, whoever packaged it, over the same runtime.
    install_again(peer, &package(fabric, &source, "javascript_1.1")).await;
}

/// Nobody has compiled it: the Job does, with what the image then has not.
async fn typescript(fabric: &Fabric) {
    let peer = fabric.peer(MSP_ID);
    let source = chaincode_dir("typescript");
    let package_id = deploy(fabric, &source, "typescript");
    lives_on(fabric, "typescript", &package_id).await;
    // By npm, which cannot write where the chaincode is: the script before the start ran, too.
    peer.await_line("peer", &["typescript: about to start"], LIMIT).await.unwrap();
    install_again(peer, &package_by_peer(fabric, "node", &source, "typescript_1.1")).await;
}

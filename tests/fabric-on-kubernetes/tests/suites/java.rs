//! Java chaincode in the cluster, run over the runtime's image: a Maven project, which a Job builds, and
//! a jar that is ready.

use e2e::{chaincode_dir, make_jar};
use fabric_on_kubernetes::Fabric;

use crate::living::{lives_on, outlives_its_pod};
use crate::shared::{
    MSP_ID, copy, deploy, deploy_package, install_again, on_fabric, one, package, package_by_peer,
};

#[test]
fn a_maven_project_and_a_jar_are_built_found_and_live_on() {
    on_fabric(&one("java"), async |_, fabric| {
        maven_project(fabric).await;
        jar(fabric).await;
    });
}

async fn maven_project(fabric: &Fabric) {
    let peer = fabric.peer(MSP_ID);
    let source = chaincode_dir("java");
    let of_peer = package_by_peer(fabric, "java", &source, "java_1.0");
    let package_id = deploy_package(fabric, &of_peer, "java");
    outlives_its_pod(fabric, "java", &package_id).await;
    // What was built once is found, whoever packaged it, over the same runtime.
    install_again(peer, &package(fabric, &source, "java_1.1")).await;
}

async fn jar(fabric: &Fabric) {
    let sources = fabric.network().dir().join("sources");
    let (project, jars) = (sources.join("project"), sources.join("jars"));
    copy(&chaincode_dir("java"), &project);
    make_jar(&project, &jars);
    let package_id = deploy(fabric, &jars, "jar");
    lives_on(fabric, "jar", &package_id).await;
    let of_peer = package_by_peer(fabric, "java", &jars, "jar_1.1");
    install_again(fabric.peer(MSP_ID), &of_peer).await;
}

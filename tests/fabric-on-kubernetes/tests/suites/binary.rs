//! Programs that are compiled already, in the cluster: in the package, or on the peer's machine, as
//! those of Fabric's own suites are. No Job and no compiler has a part in it.

use std::fs;

use e2e::{chaincode_dir, package_by_hand};
use fabric_on_kubernetes::DATA;
use serde_json::json;
use testbed::go_program;

use crate::living::lives_on;
use crate::shared::{MSP_ID, deploy, deploy_package, on_fabric, one};

#[test]
fn programs_in_the_package_and_on_the_peers_machine_run_and_live_on() {
    let spec = one("binary").tell_builders("SELVEDGE_PROGRAMS", &format!("{DATA}/programs"));
    on_fabric(&spec, async |cluster, fabric| {
        let ledger = chaincode_dir("ledger");
        let program = go_program::obtain(&ledger, &mut |line| eprintln!("{line}")).unwrap();
        let package_id = deploy(fabric, &program, "program");
        lives_on(fabric, "program", &package_id).await;

        // Its package has nothing but metadata (Fabric `integration/nwo/package.go`,
        // `PackageChaincodeBinary`).
        let volume = fabric.peer(MSP_ID).volume(cluster);
        fs::create_dir(volume.join("programs")).unwrap();
        fs::copy(&program, volume.join("programs/named")).unwrap();
        let nothing = tempfile::tempdir().unwrap();
        let file = fabric.network().dir().join("named.tar.gz");
        let path = format!("{DATA}/programs/named");
        let metadata = json!({ "path": path, "type": "binary", "label": "named_1.0" });
        package_by_hand(&metadata, nothing.path(), &file);
        let package_id = deploy_package(fabric, &file, "named");
        // What was installed runs, whatever becomes of the file.
        fs::remove_file(volume.join("programs/named")).unwrap();
        lives_on(fabric, "named", &package_id).await;

        let jobs = fabric.namespace().kubectl(&["get", "jobs", "-o", "name"]).unwrap();
        assert_eq!(jobs, "");
    });
}

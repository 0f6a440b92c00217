//! The same source gives the same package and the same image, whoever packs and builds it.

use std::fs;
use std::path::Path;
use std::process::Output;

use e2e::{build_dir, chaincode_dir, package};
use testbed::{
    Binaries, Definition, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, PeerSpec,
    Release, dist_dir,
};

use crate::{ledger, told};

const ORGANISATIONS: [&str; 2] = ["Org1MSP", "Org2MSP"];

fn launcher() -> Launcher {
    let program = dist_dir().join("bin/selvedge-launcher");
    Launcher::start(&LauncherSpec::new(program)).expect("the launcher starts")
}

/// A network of two organisations, each with a launcher of its own.
fn raise(launchers: &[Launcher; 2]) -> Network {
    let peers = ORGANISATIONS.iter().zip(launchers).map(|(msp_id, launcher)| {
        let mut peer = PeerSpec::new(msp_id, ExternalBuilder::selvedge(&dist_dir()));
        peer.environment.insert("SELVEDGE_LAUNCHER".into(), launcher.address().into());
        peer
    });
    let binaries = Binaries::obtain(Release::V3_1_1, &mut |line| eprintln!("{line}"))
        .expect("Fabric's binaries");
    Network::start(&binaries, &NetworkSpec::new(peers.collect())).expect("the network starts")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            // Written, not copied: modes and times are another's.
            fs::write(&target, ledger::read(&entry.path())).unwrap();
        }
    }
}

fn what_both_tell_of_it(
    launchers: &[Launcher; 2],
    inspect: &dyn Fn(&Launcher, &[&str]) -> Output,
    of: &Path,
) {
    let sboms = launchers.each_ref().map(|launcher| told::printed(&inspect(launcher, &["--sbom"])));
    assert_eq!(sboms[0], sboms[1], "the SBOMs differ");
    for part in ["pkg:golang/stdlib@", "pkg:golang/github.com/hyperledger/fabric-chaincode-go"] {
        assert!(sboms[0].contains(part), "{part} is missing: {}", sboms[0]);
    }
    let stated = told::printed(&inspect(&launchers[0], &["--json"]));
    let stated: serde_json::Value = serde_json::from_str(&stated).unwrap();
    assert_eq!(stated["remarks"], serde_json::json!([]));
    let provenance = &stated["provenance"];
    assert_eq!(
        (&provenance["label"], &provenance["type"]),
        (&"basic_1.0".into(), &"golang".into())
    );
    assert_eq!((&provenance["image"], &provenance["source"]), (&"built".into(), &stated["source"]));
    assert!(provenance["toolchain"].as_str().unwrap().starts_with("go1."), "{provenance}");

    let compared = inspect(&launchers[1], &["--package", of.to_str().unwrap()]);
    assert!(told::printed(&compared).contains("it is of basic_1.0:"), "{compared:?}");
    let other = of.with_file_name("other.tar.gz");
    package(&chaincode_dir("server"), "basic_1.0", &other);
    let compared = inspect(&launchers[1], &["--package", other.to_str().unwrap()]);
    assert_eq!(compared.status.code(), Some(1), "{compared:?}");
    let told = String::from_utf8_lossy(&compared.stdout);
    assert!(told.contains("it is not of basic_1.0:"), "{told}");
}

#[test]
fn two_organisations_pack_build_and_run_one_and_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let packages = ["here", "somewhere/else"].map(|name| {
        let source = scratch.path().join(name);
        copy(&chaincode_dir("ledger"), &source);
        let file = source.with_extension("tar.gz");
        package(&source, "basic_1.0", &file);
        file
    });
    assert!(ledger::read(&packages[0]) == ledger::read(&packages[1]), "the packages differ");

    let launchers = [launcher(), launcher()];
    let network = raise(&launchers);
    let definition = Definition::new("basic");
    let built: Vec<(String, Vec<u8>)> = ORGANISATIONS
        .iter()
        .zip(&packages)
        .map(|(msp_id, package)| {
            let peer = network.peer(msp_id);
            let package_id = peer.install(package).unwrap_or_else(|error| panic!("{error}"));
            peer.approve(&package_id, &definition).unwrap_or_else(|error| panic!("{error}"));
            let image = build_dir(&network, msp_id, &package_id).join("bld/image.json");
            (package_id, ledger::read(&image))
        })
        .collect();
    assert_eq!(built[0].0, built[1].0, "the package IDs differ");
    let images = [&built[0].1, &built[1].1].map(|image| String::from_utf8_lossy(image));
    assert_eq!(images[0], images[1], "the images differ");
    for launcher in &launchers {
        assert!(launcher.log().text().contains("compiling"), "a launcher did not build");
    }

    let digest = told::image(&build_dir(&network, ORGANISATIONS[0], &built[0].0));
    let inspect = |launcher: &Launcher, arguments: &[&str]| {
        told::inspect(&told::store(launcher.dir()), &digest, arguments)
    };
    what_both_tell_of_it(&launchers, &inspect, &packages[0]);

    // Both endorse: they compute the same.
    let peer = network.peer(ORGANISATIONS[0]);
    peer.commit(&definition).unwrap_or_else(|error| panic!("{error}"));
    peer.invoke("basic", r#"{"Args":["Put","k","v"]}"#).unwrap_or_else(|error| panic!("{error}"));
    for msp_id in ORGANISATIONS {
        let value = network.peer(msp_id).query("basic", r#"{"Args":["Get","k"]}"#);
        assert_eq!(value.unwrap_or_else(|error| panic!("{error}")), "v");
    }
}

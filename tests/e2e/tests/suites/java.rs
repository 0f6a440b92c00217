//! Java chaincode as people have it: a Maven project, and a jar that is ready.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Op, Turn, chaincode_dir, make_jar};
use testbed::Definition;
use testbed::dist::dist_dir;

use crate::builds::install_fails;
use crate::link::SOON;
use crate::many::STAGE;
use crate::node::{is_told_to_listen, keeps_what_it_writes, packaged_by_peer};
use crate::told;

#[test]
fn a_maven_project_is_installed_and_so_is_the_jar_of_it() {
    let turn = STAGE.enter();
    let package_id = turn.deploy(&chaincode_dir("java"), &Definition::new("java"));
    let parts = told::parts(&turn, &package_id);
    // The shim itself is made by Gradle, which leaves no note in it.
    let protos = "pkg:maven/org.hyperledger.fabric/fabric-protos@";
    assert!(parts.iter().any(|part| part.starts_with(protos)), "{parts:?}");
    keeps_what_it_writes(&turn, "java");
    // What it says reaches the peer's log.
    let line = "java: k is put";
    turn.peer().log().wait_for_line(turn.peer_mark, line, SOON).unwrap();
    // The same source again is the same image, found.
    let again = turn.package(&chaincode_dir("java"), "again_1.0");
    turn.peer().install(&again).unwrap();
    let known = "the image of this source is there already";
    assert!(turn.launcher_lines().contains(known), "{}", turn.launcher_lines());

    let jars = turn.network.dir().join("sources/jars");
    make_jar(&copy(&turn, "ready"), &jars);
    let package = package(&turn, &jars, "ready");
    turn.network.deploy(&package, &Definition::new("ready")).unwrap();
    keeps_what_it_writes(&turn, "ready");
}

/// What lies beside it in the image is what it was before: a registry and a node have it already.
#[test]
fn a_new_version_changes_the_layer_of_its_code_alone() {
    let turn = STAGE.enter();
    let source = copy(&turn, "renewed-java");
    let first = Definition::new("renewed-java");
    let deployed = |label, definition: &Definition| {
        let package_id = turn.network.deploy(&package(&turn, &source, label), definition).unwrap();
        told::layers(&turn, &package_id)
    };
    let before = deployed("renewed-java_1.0", &first);
    let file = source.join("src/main/java/example/Ledger.java");
    let text = fs::read_to_string(&file).unwrap();
    let changed = text.replace("return value;", "return value + \", says the second\";");
    assert_ne!(changed, text);
    fs::write(&file, changed).unwrap();
    let second = Definition { version: "2.0".into(), sequence: 2, ..first };
    let after = deployed("renewed-java_2.0", &second);

    assert_eq!(after[..2], before[..2], "the base, and what it depends on");
    let ([_, (_, dependencies), (own, bytes)], [.., (old, _)]) = (&after[..], &before[..]) else {
        panic!("{before:?}, {after:?}")
    };
    assert_ne!(own, old);
    assert!(*bytes < 16 << 10 && *dependencies > 1 << 20, "{after:?}");
    let mut gateway = turn.gateway("renewed-java");
    gateway.call(Op::Submit, &["Put", "k", "v"]).unwrap();
    assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "v, says the second");
}

#[test]
fn what_a_project_is_built_with_may_come_in_its_package() {
    let scratch = tempfile::tempdir().unwrap();
    let package = scratch.path().join("packed-java.tar.gz");
    let vendored = || {
        Command::new(dist_dir().join("bin/selvedge"))
            .args(["package", "--vendor", "--no-compile", "--label", "packed-java", "--output"])
            .arg(&package)
            .arg(chaincode_dir("java"))
            .output()
            .unwrap()
    };
    let mut selvedge = vendored();
    // Maven fetches some 46 MiB: one fetch that fails is the network's matter.
    if !selvedge.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&selvedge.stderr));
        selvedge = vendored();
    }
    assert!(selvedge.status.success(), "{}", String::from_utf8_lossy(&selvedge.stderr));
    // Others may be on the stage while Maven fetches all anew.
    let turn = STAGE.enter();
    let package_id = turn.network.deploy(&package, &Definition::new("packed-java")).unwrap();
    keeps_what_it_writes(&turn, "packed-java");
    let recipe = told::recipe(&turn, &package_id);
    assert!(recipe.iter().any(|step| step.starts_with("mvn --offline ")), "{recipe:?}");
}

/// A main class of its own, as chaincode has that listens.
const SERVER: &str = "package example;\n\
    import org.hyperledger.fabric.contract.ContractRouter;\n\
    import org.hyperledger.fabric.shim.NettyChaincodeServer;\n\
    public final class Server {\n\
        public static void main(final String[] args) throws Exception {\n\
            final ContractRouter router = new ContractRouter(args);\n\
            router.startRouterWithChaincodeServer(\n\
                new NettyChaincodeServer(router, router.getChaincodeServerConfig()));\n\
        }\n\
    }\n";

/// How old the shim's server lets a connection become before it asks for another one, and some more
/// (`maxConnectionAgeSeconds` in its `ChaincodeServerProperties.java`).
const OLD: Duration = Duration::from_secs(7);

#[test]
fn one_that_listens_is_dialled() {
    let turn = STAGE.enter();
    let source = copy(&turn, "serving-java");
    fs::write(source.join("src/main/java/example/Server.java"), SERVER).unwrap();
    let pom = fs::read_to_string(source.join("pom.xml")).unwrap();
    let serving = pom.replace("org.hyperledger.fabric.contract.ContractRouter<", "example.Server<");
    assert_ne!(serving, pom);
    fs::write(source.join("pom.xml"), serving).unwrap();
    let package = package(&turn, &source, "serving-java");
    let package_id = turn.network.deploy(&package, &Definition::new("serving-java")).unwrap();
    keeps_what_it_writes(&turn, "serving-java");
    is_told_to_listen(&turn, &package_id);
    let mut gateway = turn.gateway("serving-java");
    let begun = Instant::now();
    while begun.elapsed() < OLD {
        assert_eq!(gateway.call(Op::Evaluate, &["Get", "k"]).unwrap(), "serving-java");
    }
}

#[test]
fn what_cannot_be_installed_is_told_by_name() {
    let turn = STAGE.enter();
    let source = copy(&turn, "wrong");
    let file = source.join("src/main/java/example/Ledger.java");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("return value;", "return valeu;")).unwrap();
    let reason = ["the chaincode does not compile", "Ledger.java:[", "symbol:   variable valeu"];
    install_fails(&turn, &package(&turn, &source, "wrong"), &reason);
    fs::write(&file, text).unwrap();

    let pom = source.join("pom.xml");
    let text = fs::read_to_string(&pom).unwrap();
    fs::write(&pom, text.replace("<version>2.5.6</version>", "<version>0.0.0</version>")).unwrap();
    let reason = ["fabric-chaincode-shim:jar:0.0.0", "dependencies come from Maven Central"];
    install_fails(&turn, &package(&turn, &source, "missing"), &reason);
}

/// A copy of the chaincode's directory.
fn copy(turn: &Turn<'_>, name: &str) -> PathBuf {
    let to = turn.network.dir().join("sources").join(name);
    let code = Path::new("src/main/java/example");
    fs::create_dir_all(to.join(code)).unwrap();
    for file in [Path::new("pom.xml"), &code.join("Ledger.java")] {
        fs::copy(chaincode_dir("java").join(file), to.join(file)).unwrap();
    }
    to
}

/// A package of the `peer` CLI's.
fn package(turn: &Turn<'_>, source: &Path, label: &str) -> PathBuf {
    packaged_by_peer(turn, "java", source, label)
}

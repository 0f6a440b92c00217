//! Java chaincode that Gradle builds: the one that is installed, which Debian keeps at 4.4.1.

use std::fs;
use std::path::PathBuf;

use e2e::{Turn, chaincode_dir};
use testbed::Definition;

use crate::builds::install_fails;
use crate::many::STAGE;
use crate::node::{keeps_what_it_writes, packaged_by_peer};
use crate::told;

/// As of a project with Gradle's shadow plugin, whose task this is; the plugin is for newer ones.
const BUILD: &str = "apply plugin: 'java'\n\
    repositories { mavenCentral() }\n\
    dependencies {\n\
        compile 'org.hyperledger.fabric-chaincode-java:fabric-chaincode-shim:2.5.6'\n\
    }\n\
    task shadowJar(type: Jar) {\n\
        baseName = 'chaincode'\n\
        from sourceSets.main.output\n\
        from { configurations.runtimeClasspath.collect { it.directory ? it : zipTree(it) } }\n\
        exclude 'META-INF/*.SF', 'META-INF/*.DSA', 'META-INF/*.RSA', 'module-info.class'\n\
        manifest { attributes 'Main-Class': 'org.hyperledger.fabric.contract.ContractRouter' }\n\
    }\n";

const LEDGER: &str = "src/main/java/example/Ledger.java";

#[test]
fn a_gradle_project_is_installed() {
    let turn = STAGE.enter();
    let package = packaged_by_peer(&turn, "java", &project(&turn, "gradle"), "gradle");
    let package_id = turn.network.deploy(&package, &Definition::new("gradle")).unwrap();
    keeps_what_it_writes(&turn, "gradle");
    let recipe = told::recipe(&turn, &package_id);
    let built = "gradle --no-daemon --console=plain build shadowJar -x test";
    assert!(recipe.iter().any(|step| step.contains(built)), "{recipe:?}");
}

#[test]
fn what_does_not_compile_is_told_by_its_line() {
    let turn = STAGE.enter();
    let source = project(&turn, "gradle-wrong");
    let file = source.join(LEDGER);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("return value;", "return valeu;")).unwrap();
    let package = packaged_by_peer(&turn, "java", &source, "gradle-wrong");
    let reason = ["the chaincode does not compile", "Ledger.java:", "error: cannot find symbol"];
    install_fails(&turn, &package, &reason);
}

/// The sample's code with a `build.gradle` in place of its `pom.xml`.
fn project(turn: &Turn<'_>, name: &str) -> PathBuf {
    let to = turn.network.dir().join("sources").join(name);
    fs::create_dir_all(to.join(LEDGER).parent().unwrap()).unwrap();
    fs::copy(chaincode_dir("java").join(LEDGER), to.join(LEDGER)).unwrap();
    fs::write(to.join("build.gradle"), BUILD).unwrap();
    to
}

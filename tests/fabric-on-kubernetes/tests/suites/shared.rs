//! One cluster for all suites, and a network of its own for each test.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError, RwLock};
use std::time::Duration;

use cluster::{Cluster, ClusterSpec, Tools, until};
use e2e::{Gateway, chaincode_dir};
use fabric_on_kubernetes::{Fabric, FabricSpec, Images, PeerPod};
use serde_json::{Value, json};
use testbed::{Binaries, Definition, Release, dist_dir};
use tokio::runtime::Runtime;

/// The organisation of a test that needs but one.
pub(crate) const MSP_ID: &str = "Org1MSP";

/// Within this time the peer's log has what Kubernetes knows.
pub(crate) const PROMPT: Duration = Duration::from_secs(2);

/// For what takes a pod's start.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Who says in the peer's log what the builders say.
pub(crate) const BUILDER: &str = "[chaincode.externalbuilder.selvedge]";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let mut progress = |line: &str| eprintln!("{line}");
    let tools = Tools::obtain(&mut progress).unwrap_or_else(|error| panic!("{error}"));
    let binaries = Binaries::obtain(Release::V3_1_1, &mut progress).expect("Fabric's binaries");
    let cluster = RUNTIME
        .block_on(Cluster::start(&tools, ClusterSpec::default()))
        .unwrap_or_else(|error| panic!("{error}"));
    let images = Images::make(&cluster, &binaries, &dist_dir()).unwrap_or_else(|e| panic!("{e}"));
    Ground { cluster, images, binaries }
});

struct Ground {
    cluster: Cluster,
    images: Images,
    binaries: Binaries,
}

/// Held by all tests; by one that troubles the whole cluster alone.
static ROOM: RwLock<()> = RwLock::new(());

/// Runs a test on a network of its own, and with no other test beside it.
pub(crate) fn on_fabric_alone(spec: &FabricSpec, test: impl AsyncFnOnce(&Cluster, &Fabric)) {
    let _alone = ROOM.write().unwrap_or_else(PoisonError::into_inner);
    run(|_| spec.clone(), test);
}

/// Runs a test on a network of its own.
pub(crate) fn on_fabric(spec: &FabricSpec, test: impl AsyncFnOnce(&Cluster, &Fabric)) {
    on_fabric_of(|_| spec.clone(), test);
}

/// The same, when the network depends on the cluster.
pub(crate) fn on_fabric_of(
    spec: impl FnOnce(&Cluster) -> FabricSpec,
    test: impl AsyncFnOnce(&Cluster, &Fabric),
) {
    let _room = ROOM.read().unwrap_or_else(PoisonError::into_inner);
    run(spec, test);
}

/// All on one runtime, as the cluster's client lives on it.
fn run(spec: impl FnOnce(&Cluster) -> FabricSpec, test: impl AsyncFnOnce(&Cluster, &Fabric)) {
    let Ground { cluster, images, binaries } = &*GROUND;
    RUNTIME.block_on(async {
        let fabric = Fabric::raise(cluster, images, binaries, &spec(cluster)).await;
        let fabric = fabric.unwrap_or_else(|error| panic!("{error}"));
        test(cluster, &fabric).await;
    });
}

/// A network with one organisation.
pub(crate) fn one(namespace: &str) -> FabricSpec {
    FabricSpec::new(namespace, &[MSP_ID])
}

/// Packages a directory; the package's path.
pub(crate) fn package(fabric: &Fabric, source: &Path, label: &str) -> PathBuf {
    let short = &label[..label.len().min(100)];
    let file = fabric.network().dir().join(format!("{short}.tar.gz"));
    e2e::package(source, label, &file);
    file
}

/// Packages a directory with the `peer` CLI, which calls the language so; the package's path.
pub(crate) fn package_by_peer(
    fabric: &Fabric,
    language: &str,
    source: &Path,
    label: &str,
) -> PathBuf {
    let file = fabric.network().dir().join(format!("{label}.tar.gz"));
    e2e::package_by_peer(&fabric.peers()[0], language, source, label, &file);
    file
}

/// Has the registry hold the image of our own ledger chaincode: one test builds it, and all find
/// it.
pub(crate) fn build_ledger(fabric: &Fabric) {
    static BUILT: Mutex<bool> = Mutex::new(false);
    // One that failed leaves it to the next.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if !*built {
        let file = package(fabric, &chaincode_dir("ledger"), "built_for_all");
        fabric.peers()[0].install(&file).unwrap_or_else(|error| panic!("{error}"));
        *built = true;
    }
}

/// Packages, installs, approves and commits a chaincode; its package ID.
pub(crate) fn deploy(fabric: &Fabric, source: &Path, name: &str) -> String {
    deploy_package(fabric, &package(fabric, source, &format!("{name}_1.0")), name)
}

/// Installs, approves and commits a package; its package ID.
pub(crate) fn deploy_package(fabric: &Fabric, package: &Path, name: &str) -> String {
    let deployed = fabric.network().deploy(package, &Definition::new(name));
    deployed.unwrap_or_else(|error| panic!("{error}"))
}

/// Installs a package of a source whose image is there already: it is found, and taken.
pub(crate) async fn install_again(peer: &PeerPod, package: &Path) {
    const FOUND: &str = "the image of this source is there already";
    let found = async || Ok::<_, String>(peer.log("launcher").await?.matches(FOUND).count());
    let before = found().await.unwrap();
    peer.install(package).unwrap_or_else(|error| panic!("{error}"));
    until("an image that is found", LIMIT, async || {
        let now = found().await?;
        if now > before { Ok(()) } else { Err(format!("{now} until now")) }
    })
    .await
    .unwrap();
}

/// The same with our own ledger chaincode.
pub(crate) fn deploy_ledger(fabric: &Fabric, name: &str) -> String {
    build_ledger(fabric);
    deploy(fabric, &chaincode_dir("ledger"), name)
}

/// A client of a chaincode.
pub(crate) fn gateway(fabric: &Fabric, peer: &PeerPod, chaincode: &str) -> Gateway {
    Gateway::connect(&peer.gateway_access(), fabric.network().channel(), chaincode)
}

/// So many calls that no load comes so far: it goes on until it is ended.
pub(crate) const ENDLESS: u64 = 1_000_000;

/// What who asks the launcher is told of a chaincode.
pub(crate) fn status(peer: &PeerPod, package_id: &str) -> Result<Value, String> {
    let told = peer.exec("launcher", &["selvedge", "status", "--json"]);
    let told: Value = serde_json::from_str(&told.map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())?;
    let mut all = told["chaincodes"].as_array().into_iter().flatten();
    let found = all.find(|chaincode| chaincode["package_id"] == package_id).cloned();
    found.ok_or_else(|| format!("{told:#}"))
}

/// Waits until so many replicas are registered, as who asks the launcher is told.
pub(crate) async fn await_registered(peer: &PeerPod, package_id: &str, number: u32) {
    until(&format!("{number} replicas in the launcher's status"), LIMIT, async || {
        let told = status(peer, package_id)?;
        if told["replicas_registered"] == number { Ok(()) } else { Err(format!("{told:#}")) }
    })
    .await
    .unwrap();
}

/// Gives the namespace a quota, `few`, that its peer's pod fills.
pub(crate) async fn allow_no_more_pods(fabric: &Fabric) {
    let quota = json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": { "name": "few" },
        "spec": { "hard": { "pods": "1" } },
    });
    fabric.namespace().apply(&quota).unwrap();
    until("the quota's use", LIMIT, async || {
        let used = ["get", "resourcequota", "few", "-o", "jsonpath={.status.used.pods}"];
        let used = fabric.namespace().kubectl(&used).map_err(|error| error.to_string())?;
        if used.is_empty() { Err("none".to_owned()) } else { Ok(()) }
    })
    .await
    .unwrap();
}

/// A copy of our own ledger chaincode that no registry has an image of.
pub(crate) fn new_source(fabric: &Fabric, name: &str) -> PathBuf {
    let source = fabric.network().dir().join("sources").join(name);
    copy(&chaincode_dir("ledger"), &source);
    let own = format!("package main\n\nconst uniqueName = {name:?}\n\nvar _ = uniqueName\n");
    std::fs::write(source.join("unique.go"), own).unwrap();
    source
}

/// A program that says it gives up and ends with status 3, of which no registry has an image. It
/// needs no modules, so that its build is short.
pub(crate) fn new_program(fabric: &Fabric, name: &str) -> PathBuf {
    let source = fabric.network().dir().join("sources").join(name);
    std::fs::create_dir_all(&source).unwrap();
    let module = format!("module selvedge.example/{name}\n\ngo 1.24\n");
    std::fs::write(source.join("go.mod"), module).unwrap();
    let program = format!(
        "package main\n\nimport \"os\"\n\n\
         func main() {{\n\tprintln(\"{name}: giving up\")\n\tos.Exit(3)\n}}\n"
    );
    std::fs::write(source.join("main.go"), program).unwrap();
    source
}

/// Copies a directory.
pub(crate) fn copy(from: &Path, to: &Path) {
    testbed::copy::copy(from, to).unwrap();
}

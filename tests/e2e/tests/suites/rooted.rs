//! Packages of type `k8s` on this machine: the image that they name is fetched, and its processes have
//! a root of their own, of which the image made all.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Op, Process, Turn, chaincode_dir, processes_of};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::binaries::go_build;
use testbed::debian::install_missing;
use testbed::go_module::CRANE;
use testbed::process::wait_until;
use testbed::registry::{self, Access, RegistryServer};

use crate::builds::{append, archive, install_fails};
use crate::ledger::definition;
use crate::link::SOON;
use crate::many::STAGE;
use crate::status::await_told;

/// A registry on this machine, and what is in it.
struct Images {
    server: RegistryServer,
    files: TempDir,
}

fn said_by(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn crane(arguments: &[&str]) -> String {
    let crane = CRANE.obtain(&mut |line| eprintln!("{line}")).unwrap().join("crane");
    said_by(Command::new(crane).args(arguments).arg("--insecure")).trim().to_owned()
}

impl Images {
    fn new() -> Self {
        install_missing(&["zstd"], &mut |line| eprintln!("{line}")).unwrap();
        let files = tempfile::tempdir().unwrap();
        let content = files.path().join("registry");
        fs::create_dir(&content).unwrap();
        let program = registry::program(&mut |line| eprintln!("{line}")).unwrap();
        let server = RegistryServer::start(&program, &content, Access::Open).unwrap();
        Self { server, files }
    }

    fn name(&self) -> String {
        format!("{}/theirs/asset", self.server.address())
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.files.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Writes a layer that is compressed with zstd, as one that is with gzip.
    fn zstd(&self, layer: &[u8]) -> String {
        let mut tar = Vec::new();
        GzDecoder::new(layer).read_to_end(&mut tar).unwrap();
        let tar = self.write("layer.tar", &tar);
        said_by(Command::new("zstd").args(["-q", "-f", "--rm", &tar]));
        format!("{tar}.zst")
    }

    /// Pushes an image of nothing, for other machines; its digest.
    fn push_other(&self) -> String {
        let layer = self.write("layer.tar.gz", &archive(|tar| append(tar, "x", b"x")));
        let tag = format!("{}:other", self.name());
        crane(&["append", "--oci-empty-base", "-f", &layer, "-t", &tag]);
        let set = ["--entrypoint", "/x", "--set-platform", "linux/s390x"];
        crane(&[&["mutate", &tag, "-t", &tag][..], &set].concat());
        crane(&["digest", &tag])
    }

    /// Puts an image beside one for other machines, under one digest.
    fn several(&self, digest: &str) -> String {
        let (tag, name) = (format!("{}:several", self.name()), self.name());
        let [one, other] = [digest, &self.push_other()].map(|digest| format!("{name}@{digest}"));
        let parts = ["-m", &other, "-m", &one, "-t", &tag];
        crane(&[&["index", "append", "--docker-empty-base"][..], &parts].concat());
        crane(&["digest", &tag])
    }

    /// Pushes an image with a system's libraries and shell, compressed with gzip, and over it a
    /// chaincode of ours, linked with them, with zstd; its digest.
    fn push(&self, chaincode: &str, script: &str) -> String {
        let program = self.files.path().join(chaincode);
        let pie = ["-buildmode=pie", "."];
        go_build(&chaincode_dir(chaincode), &program, &pie, &mut |_| {}).unwrap();
        let shell = fs::canonicalize("/bin/sh").unwrap();
        let system = self.write("system.tar.gz", &system(&[&shell, &program], &shell));
        let over = archive(|tar| {
            // Through a link of the layer below, and once more by a hard link.
            let content = fs::read(&program)?;
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o755);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, "bin/made", &content[..])?;
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Link);
            header.set_size(0);
            tar.append_link(&mut header, "opt/chaincode", "usr/bin/made")?;
            append(tar, "etc/.wh.below", b"")
        });
        let over = self.zstd(&over);
        let tag = format!("{}:{chaincode}", self.name());
        let layers = ["-f", &system, "-f", &over, "-t", &tag];
        crane(&[&["append", "--oci-empty-base"][..], &layers].concat());
        let start = format!("--cmd=-c,{script}");
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let platform = format!("linux/{architecture}");
        let set =
            ["--entrypoint", "/bin/sh", &start, "--set-platform", &platform, "--user", "1234"];
        crane(&[&["mutate", &tag, "-t", &tag, "--workdir", "/opt"][..], &set].concat());
        crane(&["digest", &tag])
    }
}

/// A layer like those of Debian: these programs' libraries, and a shell, below `usr`, to which links
/// lead.
fn system(programs: &[&Path], shell: &Path) -> Vec<u8> {
    let mut libraries: Vec<PathBuf> = programs
        .iter()
        .flat_map(|program| {
            let told = said_by(Command::new("ldd").arg(program));
            told.split_whitespace()
                .filter(|word| word.starts_with('/'))
                .map(PathBuf::from)
                .collect::<Vec<_>>()
        })
        .collect();
    libraries.sort();
    libraries.dedup();
    archive(|tar| {
        let mut file = |name: PathBuf, from: &Path, mode: u32| {
            let content = fs::read(from)?;
            let mut header = tar::Header::new_gnu();
            header.set_mode(mode);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, &content[..])
        };
        for library in &libraries {
            let below = library.strip_prefix("/").unwrap();
            let below = below.strip_prefix("usr").unwrap_or(below);
            file(Path::new("usr").join(below), library, 0o755)?;
        }
        file("usr/bin/dash".into(), shell, 0o755)?;
        for (name, target) in [
            ("bin", "usr/bin"),
            ("lib", "usr/lib"),
            ("lib64", "/usr/lib64"),
            ("usr/bin/sh", "dash"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, name, target)?;
        }
        append(tar, "etc/below", b"of the system")?;
        append(tar, "etc/kept", b"of the system")
    })
}

/// A package of that image.
fn package(turn: &Turn<'_>, label: &str, image: &Value) -> PathBuf {
    let code = archive(|tar| append(tar, "image.json", image.to_string().as_bytes()));
    let metadata = json!({ "type": "k8s", "label": label });
    let whole = archive(|tar| {
        append(tar, "metadata.json", metadata.to_string().as_bytes())?;
        append(tar, "code.tar.gz", &code)
    });
    let file = turn.network.dir().join(format!("{label}.tar.gz"));
    fs::write(&file, whole).unwrap();
    file
}

/// Deploys it, kills it, and goes on; its package ID.
fn lives_on(turn: &Turn<'_>, name: &str, image: &Value) -> String {
    let package = package(turn, name, image);
    let deployed = turn.network.deploy(&package, &definition(name));
    let package_id = deployed.unwrap_or_else(|error| panic!("{error}"));
    let mut gateway = turn.gateway(name);
    gateway.call(Op::Submit, &["Put", "k", name]).unwrap();
    // The first of all that it can see, but for its parent.
    assert!(gateway.call(Op::Evaluate, &["Pid"]).unwrap().starts_with("2 pid:["));
    let before = processes_of(turn, &package_id).pop().unwrap();
    before.kill();
    let is_back = || gateway.call(Op::Evaluate, &["Get", "k"]).is_ok_and(|value| value == name);
    assert!(wait_until(SOON, is_back), "it does not come back");
    assert!(!processes_of(turn, &package_id).contains(&before));
    package_id
}

#[test]
fn an_image_that_somebody_else_made_has_a_root_of_its_own() {
    let (turn, mut images) = (STAGE.enter(), Images::new());
    let start = "exec ./chaincode -peer.address=$CORE_PEER_ADDRESS";
    let digest = images.several(&images.push("ledger", start));
    let image = json!({ "name": images.name(), "digest": digest });
    lives_on(&turn, "rooted", &image);
    let mut gateway = turn.gateway("rooted");
    let mut call = |function: &str, path: &str| gateway.call(Op::Evaluate, &[function, path]);
    assert_eq!(call("File", "/etc/kept").unwrap(), "of the system");
    let below = call("File", "/etc/below").unwrap_err();
    assert!(below.contains("no such file"), "{below}");
    let data = turn.launcher.dir();
    for path in ["/etc/passwd", data.to_str().unwrap()] {
        let told = call("File", path).unwrap_err();
        assert!(told.contains("no such file"), "{path}: {told}");
    }
    for path in ["/new", "/etc/hyperledger/fabric/new", "/proc/sys/kernel/core_pattern"] {
        let told = call("Write", path).unwrap_err();
        assert!(told.contains("read-only file system") || told.contains("permission"), "{told}");
    }
    call("Write", "/tmp/new").unwrap();
    let key = call("File", "/etc/hyperledger/fabric/client_pem.key").unwrap();
    assert!(key.contains("PRIVATE KEY"), "{key}");
    let status = call("File", "/proc/self/status").unwrap();
    assert!(status.contains("Uid:\t1234\t") && status.contains("CapEff:\t0000000000000000"));

    // Nobody can be asked for it any more, and nobody needs to be.
    images.server.stop();
    turn.peer().install(&package(&turn, "again", &image)).unwrap();
}

#[test]
fn one_that_listens_is_dialled_in_its_root() {
    let (turn, images) = (STAGE.enter(), Images::new());
    let script = "export CHAINCODE_TLS_KEY=/hyperledger/privatekey.pem \
                  CHAINCODE_TLS_CERT=/hyperledger/cert.pem \
                  CHAINCODE_CLIENT_CA_CERT=/hyperledger/rootcert.pem; exec ./chaincode";
    let digest = images.push("server", script);
    let image = json!({ "name": images.name(), "digest": digest, "listens": true });
    let package_id = lives_on(&turn, "rooted-server", &image);
    let process = processes_of(&turn, &package_id).pop().unwrap();
    assert!(process.environment().contains("CHAINCODE_SERVER_ADDRESS=127.0.0.1:"));
}

/// Two replicas of one chaincode and one of another, and replicas that take over from others.
#[test]
fn several_that_listen_at_one_port_have_a_network_of_their_own_each() {
    let (turn, images) = (STAGE.enter(), Images::new());
    let say = |environment: Value| {
        let two = json!({ "replicas": 2, "environment": environment });
        let overrides = json!([{ "match": { "label": "own-port" }, "chaincode": two }]);
        turn.launcher.say("overrides", overrides).unwrap();
    };
    say(json!({}));
    // Whatever it is told.
    let script = "export CHAINCODE_SERVER_ADDRESS=0.0.0.0:9999; exec ./chaincode";
    let (name, digest) = (images.name(), images.push("server", script));
    let own = |listens: Value| json!({ "name": name, "digest": digest, "listens": listens });
    let package_id = lives_on(&turn, "own-port", &own(json!({ "port": 9999 })));
    lives_on(&turn, "own-port-plain", &own(json!({ "port": 9999, "tls": false })));
    let are_two = |chaincode: &Value| chaincode["replicas_registered"] == 2;
    await_told(&turn, &package_id, are_two);

    say(json!({ "COLOUR": "blue" }));
    let have_taken_over = || {
        let processes = processes_of(&turn, &package_id);
        let is_new = |process: &Process| process.environment().contains("COLOUR=blue\n");
        processes.len() == 2 && processes.iter().all(is_new)
    };
    assert!(wait_until(SOON, have_taken_over), "{:?}", processes_of(&turn, &package_id));
    await_told(&turn, &package_id, are_two);
    let value = turn.gateway("own-port").call(Op::Evaluate, &["Get", "k"]).unwrap();
    assert_eq!(value, "own-port");
}

#[test]
fn what_is_no_image_for_here_is_refused_at_the_install() {
    let (turn, images) = (STAGE.enter(), Images::new());
    let (name, absent) = (images.name(), format!("sha256:{}", "0".repeat(64)));
    let image = json!({ "name": name, "digest": absent });
    let reason = format!("has no image {name}@{absent}, which is wanted for linux/");
    install_fails(&turn, &package(&turn, "absent", &image), &[&reason]);

    let image = json!({ "name": name, "digest": images.push_other() });
    install_fails(&turn, &package(&turn, "other", &image), &["is for linux/s390x, and linux/"]);
}

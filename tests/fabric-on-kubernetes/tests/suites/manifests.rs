//! The manifests and the chart, rendered as an operator renders them, by the programs that operators
//! have; no cluster is needed for that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cluster::Tools;
use serde_json::{Value, json};
use testbed::dist::workspace_dir;

/// The namespace of the peers.
pub(crate) const PEERS: &str = "org1";

/// The launcher's image, as the operator names it.
pub(crate) const IMAGE: &str = "registry.example.com/selvedge/launcher:0.1.0";

/// Where chaincode runs.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    OwnNamespace,
    SameNamespace,
    /// In a namespace of its own, whose images the launcher keeps.
    OwnRegistry,
}

/// Objects as they are printed.
pub(crate) struct Rendered(String);

impl Rendered {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn objects(&self) -> Vec<Value> {
        serde_saphyr::from_multiple(&self.0).unwrap()
    }
}

/// What renders them, in a directory of its own.
pub(crate) struct Manifests {
    tools: Tools,
    dir: tempfile::TempDir,
}

impl Manifests {
    pub(crate) fn new() -> Self {
        let tools = Tools::obtain(&mut |line| eprintln!("{line}"));
        let tools = tools.unwrap_or_else(|error| panic!("{error}"));
        // The scanner passes over directories whose names begin with a dot.
        let dir = tempfile::Builder::new().prefix("manifests").tempdir().unwrap();
        testbed::copy::copy(&kubernetes(), &dir.path().join("kubernetes")).unwrap();
        Self { tools, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The example's peer with Selvedge added to it.
    pub(crate) fn kustomized(&self, way: Way) -> Rendered {
        let (name, image) = IMAGE.rsplit_once(':').unwrap();
        let peer = |components: &[&str]| {
            json!({
                "namespace": PEERS,
                "resources": ["../kubernetes/peer"],
                "components": components,
                "images": [{ "name": "selvedge-launcher", "newName": name, "newTag": image }],
            })
        };
        let write = |name: &str, kustomization: &Value| {
            let dir = self.dir().join(name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("kustomization.yaml"), kustomization.to_string()).unwrap();
            dir
        };
        let component = "../kubernetes/component";
        let apart = |name: &str, components: &[&str]| {
            write(&format!("{name}-peer"), &peer(components));
            let above = json!({
                "resources": [format!("../{name}-peer")],
                "components": ["../kubernetes/own-namespace"],
            });
            write(name, &above)
        };
        let dir = match way {
            Way::OwnNamespace => apart("own", &[component]),
            Way::OwnRegistry => apart("registry", &[component, "../kubernetes/registry"]),
            Way::SameNamespace => {
                write("same", &peer(&[component, "../kubernetes/same-namespace"]))
            }
        };
        run(Command::new(self.tools.program("kubectl")).arg("kustomize").arg(dir))
    }

    /// The chart with the example's peer, and further values (`--set`).
    pub(crate) fn charted(&self, values: &[&str]) -> Rendered {
        let mut helm = Command::new(self.tools.program("helm"));
        helm.args(["template", "selvedge"]).arg(chart()).args(["--namespace", PEERS]);
        helm.args(["--set", &format!("image={IMAGE}")]).args(["--set-json", PEER]);
        for value in values {
            helm.args(["--set", value]);
        }
        run(&mut helm)
    }
}

/// The example's peer, as a value of the chart's.
const PEER: &str = r#"peers=[{"kind":"StatefulSet","name":"peer","container":"peer"}]"#;

fn kubernetes() -> PathBuf {
    workspace_dir().join("images/kubernetes")
}

/// The chart.
pub(crate) fn chart() -> PathBuf {
    workspace_dir().join("images/helm")
}

fn run(command: &mut Command) -> Rendered {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Rendered(String::from_utf8(output.stdout).unwrap())
}

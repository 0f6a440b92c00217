//! `selvedge render`: what the launcher would apply for a package, told without a cluster.

use std::fmt::Write as _;
use std::net::IpAddr;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::image::ImageCommand;
use selvedge_buildpack::named_image::NamedImage;
use selvedge_buildpack::package::{Elsewhere, Inspection, Interrupt, Metadata, PackageId};
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::shim::Shim;
use selvedge_buildpack::source::Source as Code;
use selvedge_config::{BackendKind, Chaincode, Serve, Subject};
use selvedge_manifest::{
    IMAGE_DIGEST, Identity, LAUNCHER_IMAGE, NODE, Object, PROXY, PeerPod, PullLogin, REGISTRY,
    SERVICE_ADDRESS, Sketch,
};
use serde::Serialize;

use crate::inspect::refusals;
use crate::operators_file::{Right, Source};
use crate::outcome::Outcome;
use crate::resolved::{Form, RenderRequest};
use crate::screen::show;
use crate::yaml;

/// The container of the launcher in the peer's pod (`images/kubernetes`).
const LAUNCHER: &str = "launcher";

/// As good as any: what an image runs, it runs on all.
const PLATFORM: Platform = Platform::LinuxAmd64;

/// The namespace of who does not name one.
const NAMESPACE: &str = "default";

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Object>,
}

pub(crate) fn run(request: &RenderRequest) -> anyhow::Result<Outcome> {
    if matches!(
        (&request.file, &request.peer_pod),
        (Some(Source::StandardInput), Some(Source::StandardInput))
    ) {
        bail!(
            "standard input is either the operator's file or the peer's pod: name a file for the other"
        );
    }
    let package = package(request)?;
    let right = Right::of_source(request.file.as_ref())?;
    if right.operator.backend() != BackendKind::Kubernetes {
        bail!(
            "{} is for the `local` backend, whose processes have no manifests: name a file that says \
             `backend: kubernetes` with --config",
            right.name
        );
    }
    let label = package.metadata.label.to_string();
    let subject = Subject { label, msp: request.msp.clone(), peer: request.peer.clone() };
    let settings = right.variant(&subject)?.chaincode().clone();
    let sketch = sketch(request, &right, &package, settings)?;
    let (objects, _) = sketch.objects()?;
    let text = match request.form {
        Form::Text => heading(&sketch)? + &yaml::stream(&objects)?,
        Form::Json => {
            let list = List { api_version: "v1", kind: "List", items: objects };
            serde_json::to_string_pretty(&list)? + "\n"
        }
    };
    show(&text)?;
    Ok(Outcome::Done)
}

/// A package that would be taken.
struct Package {
    id: PackageId,
    metadata: Metadata,
    content: PackageContent,
    /// How its chaincode and the peer come together.
    shim: Shim,
    /// The image that it names, if it does.
    image: Option<NamedImage>,
    /// What the image of its code has a container run. What one that it names has, that one's
    /// registry knows.
    command: Option<ImageCommand>,
}

fn package(request: &RenderRequest) -> anyhow::Result<Package> {
    let interrupt = Interrupt::default();
    let handler = interrupt.clone();
    ctrlc::set_handler(move || handler.request()).context("cannot listen for Ctrl-C")?;
    let inspection = Inspection::of(&request.package, &interrupt)?;
    let report = &inspection.report;
    if let Some(Elsewhere::Server(server)) = &report.elsewhere {
        bail!("the chaincode is served at {server}: Selvedge has nothing of it in a cluster");
    }
    let content = report.metadata.as_ref().and_then(|of| PackageContent::of(&of.kind));
    match (&report.package_id, &report.metadata, content) {
        (Some(id), Some(metadata), Some(content)) if report.refusals.is_empty() => {
            let image = match &report.elsewhere {
                Some(Elsewhere::Image(image)) => Some(image.clone()),
                Some(Elsewhere::Server(_)) | None => None,
            };
            let (shim, command) = match content {
                PackageContent::Code(language) => {
                    let (code, path) = (Code::open(inspection.code())?, &metadata.path);
                    let recipe = language.recipe(&code, path, PLATFORM)?;
                    (language.shim(&code, path), Some(recipe.form().command()))
                }
                PackageContent::Image => {
                    (image.as_ref().map_or(Shim::Dials, NamedImage::shim), None)
                }
            };
            Ok(Package {
                id: id.clone(),
                metadata: metadata.clone(),
                content,
                shim,
                image,
                command,
            })
        }
        _ => {
            let mut reasons = String::new();
            refusals(&report.refusals, &mut reasons)?;
            bail!("{} would be refused\n{}", request.package.display(), reasons.trim_end())
        }
    }
}

/// The chaincode in the cluster, as far as it is known.
fn sketch(
    request: &RenderRequest,
    right: &Right,
    package: &Package,
    settings: Chaincode,
) -> anyhow::Result<Sketch> {
    let known = request.peer_pod.as_ref().map(Known::read).transpose()?.unwrap_or_default();
    let in_pod = known.peer.as_ref().map(|peer| peer.namespace.clone());
    let of_pod = request.namespace.clone().or(in_pod).unwrap_or_else(|| NAMESPACE.to_owned());
    let namespace = settings.namespace.clone().unwrap_or_else(|| of_pod.clone());
    let peer = PeerPod::peer(&of_pod, &request.peer);
    let identity = Identity::new(&namespace, &package.id.to_string(), &request.msp, &peer);
    let registry = right.operator.registry();
    let mut sketch = Sketch::new(identity, package.content, &of_pod, settings);
    sketch.shim = package.shim;
    sketch.command.clone_from(&package.command);
    sketch.pull_secrets.extend(registry.secret.clone());
    // A Secret is good in its own namespace alone.
    if namespace == of_pod {
        let more = known.pull_secrets.into_iter();
        sketch.pull_secrets.extend(more.filter(|name| Some(name) != registry.secret.as_ref()));
    }
    if let Some(serve) = &registry.serve {
        sketch.image = format!("{}/{}/chaincode@{IMAGE_DIGEST}", serve.address, Serve::PREFIX);
        sketch.pull_login = Some(PullLogin {
            registry: serve.address.clone(),
            user: "node".to_owned(),
            password: "placeholder: the password that the launcher makes".to_owned(),
        });
    }
    if let Some(address) = &registry.address {
        sketch.image = format!("{address}/chaincode@{IMAGE_DIGEST}");
    }
    if let Some(image) = &package.image {
        sketch.image = registry.rewritten(&image.to_string());
    }
    if let Some(peer) = known.peer {
        sketch.peer = PeerPod { namespace: of_pod, ..peer };
    }
    if let Some(address) = known.address {
        sketch.proxy.set_ip(address);
    }
    let launcher = right.operator.builds().launcher_image.clone().or(known.launcher_image);
    set(&mut sketch.launcher_image, request.launcher_image.clone().or(launcher));
    set(&mut sketch.image, request.image.clone());
    set(&mut sketch.peer.node, request.node.clone());
    set(&mut sketch.service, request.service_address);
    set(&mut sketch.proxy, request.proxy);
    Ok(sketch)
}

fn set<T>(target: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *target = given;
    }
}

/// What the peer's pod tells.
#[derive(Default)]
struct Known {
    peer: Option<PeerPod>,
    address: Option<IpAddr>,
    launcher_image: Option<String>,
    pull_secrets: Vec<String>,
}

impl Known {
    fn read(source: &Source) -> anyhow::Result<Self> {
        let text = source.read()?;
        let pod: Pod = serde_saphyr::from_slice(&text.bytes)
            .with_context(|| format!("{} is no pod as the API gives it", text.name))?;
        let peer = PeerPod::of(&pod).with_context(|| {
            format!("{} is no pod that runs: it needs a namespace and a node", text.name)
        })?;
        let PodSpec { containers, init_containers, image_pull_secrets, .. } =
            pod.spec.unwrap_or_default();
        // A sidecar is an init container that stays.
        let mut containers = containers.into_iter().chain(init_containers.unwrap_or_default());
        let launcher = containers.find(|container| container.name == LAUNCHER);
        let secrets = image_pull_secrets.into_iter().flatten();
        Ok(Self {
            peer: Some(peer),
            address: pod.status.and_then(|status| status.pod_ip?.parse().ok()),
            launcher_image: launcher.and_then(|container| container.image),
            pull_secrets: secrets.map(|secret| secret.name).collect(),
        })
    }
}

/// What the manifests are of, and which placeholders are in them.
fn heading(sketch: &Sketch) -> anyhow::Result<String> {
    let Sketch { identity, image, launcher_image, peer, service, proxy, .. } = sketch;
    let mut text = format!(
        "# What Selvedge applies for {}, of {} on the peer {}.\n",
        identity.package_id, identity.msp_id, identity.peer
    );
    let mut placeholder = |is_one: bool, what: &str, value: &dyn std::fmt::Display| {
        if is_one { writeln!(text, "# Placeholder: {what}, {value}") } else { Ok(()) }
    };
    placeholder(*service == SERVICE_ADDRESS, "the address of the Service", service)?;
    placeholder(*proxy == PROXY, "the address and port of the proxy", proxy)?;
    placeholder(
        proxy.port() == PROXY.port() && *proxy != PROXY,
        "the port of the proxy",
        &proxy.port(),
    )?;
    placeholder(peer.node == NODE, "the peer's node", &peer.node)?;
    placeholder(launcher_image == LAUNCHER_IMAGE, "the launcher's image", launcher_image)?;
    placeholder(image.starts_with(REGISTRY), "the chaincode's image", image)?;
    placeholder(image.ends_with(IMAGE_DIGEST), "the image's digest", &IMAGE_DIGEST)?;
    placeholder(true, "certificates and keys", &"each issued to one set of replicas")?;
    Ok(text)
}

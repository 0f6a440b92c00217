//! `builds`: how chaincode becomes an image.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use bytesize::ByteSize;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::amount;
use crate::span::Span;

/// How chaincode is built. A change is taken up by the next build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Builds {
    /// How long a build may take.
    pub timeout: Span,
    /// How many builds may go on at once; others wait for them. Each may fill 2 GiB of the
    /// launcher's data directory: of a volume that is too full, Kubernetes ends the pod. Taken up
    /// when the launcher starts.
    pub parallel: NonZeroU16,
    /// How much the images that the launcher keeps itself may take together, such as `500MiB` or
    /// `10GiB`: beyond it those that were not used for longest go. What runs and what was built
    /// last stay, even with 0. One that is gone is built again when it is called for. Only on the
    /// `local` backend; taken up when the launcher starts.
    #[schemars(with = "Size")]
    pub images_limit: ByteSize,
    /// How much the tools of one language may keep for the next build, in directories of the launcher's
    /// own. Beyond it all of Go's goes after a build, and of what is kept for Node and Java what was not
    /// used for longest; the next build fetches that anew. Only on the `local` backend.
    #[schemars(with = "Size")]
    pub tools_limit: ByteSize,
    /// The images whose compilers make chaincode, by language. Only on Kubernetes.
    pub toolchains: Toolchains,
    /// The images that chaincode stands on which is no program by itself, by language. Only on
    /// Kubernetes.
    pub runtimes: Runtimes,
    /// The launcher's own image, from which a build's pod gets the program that assembles images.
    /// Default: the image of the container `launcher` in the launcher's pod. It is pulled with the
    /// Secret of `registry.secret` and, where chaincode runs in the launcher's namespace, with the
    /// pull Secrets of its pod; a Secret is good in its own namespace alone. Only on Kubernetes;
    /// taken up when the launcher starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launcher_image: Option<String>,
    /// The port on which the pods of builds reach the launcher; 0 is one that is free. Only on
    /// Kubernetes; taken up when the launcher starts.
    pub port: u16,
    /// The CPU and the memory of a build. Only on Kubernetes.
    pub resources: ResourceRequirements,
    /// The disk that a build gets, for source, dependencies, caches and image. On the `local`
    /// backend, how much its commands may write, wherever that is: beyond it the build is ended.
    pub disk: Quantity,
    /// How much memory the processes of a build may take together, such as `2GiB`: beyond it the
    /// build is ended. Default: half of what there is. Only on the `local` backend; on Kubernetes
    /// `resources` says it.
    #[schemars(with = "Option<Size>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<ByteSize>,
    /// Variables for the compiler: where it finds modules, proxies, certificates. `MVNW_REPOURL` names
    /// the repository that Maven and its wrapper ask in place of the central one, and
    /// `SELVEDGE_GRADLE_DISTRIBUTIONS` a directory of Gradle's distributions
    /// (`https://mirror.example/gradle`), which Gradle's wrapper asks in place of Gradle's own server.
    /// No secrets: what is built could read them. Only on Kubernetes: the `local` backend's compiler
    /// has the launcher's own environment.
    pub environment: BTreeMap<String, String>,
    /// Certificate authorities that builds trust besides those of the toolchain's image, for a
    /// company's proxy that ends TLS. Only on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// Where builds keep what they depend on for the next: Go's modules and packages, what a lock file
    /// of npm's names with its address and its hash, and what was released to Maven's central
    /// repository. Default: nowhere, so that each build fetches and compiles all of it anew. Only on
    /// Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<BuildCache>,
    /// Who builds are where they fetch private dependencies. Only on Kubernetes: on the `local`
    /// backend chaincode reads what its launcher reads, and what fetches is the launcher's own
    /// environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<BuildCredentials>,
    /// What builds reach. Only on Kubernetes.
    pub egress: BuildEgress,
}

/// How a size is written.
#[derive(JsonSchema)]
#[schemars(extend("format" = "size"))]
pub(crate) struct Size(#[expect(dead_code, reason = "there for its schema")] String);

/// The images with compilers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Toolchains {
    /// Go's.
    pub go: Toolchain,
    /// Node's: with npm, and for packages with native modules a C compiler and Python.
    pub node: Toolchain,
    /// Java's: a JDK with Maven, or with Gradle. Packages that bring a wrapper need the JDK alone.
    pub java: Toolchain,
}

/// The images with what runs chaincode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Runtimes {
    /// Node's: the major version of the toolchain's, and for packages with native modules the same
    /// C library (Debian's, or Alpine's).
    pub node: Runtime,
    /// Java's: with `java` and a shell. The major version of the toolchain's, or a higher one.
    pub java: Runtime,
}

/// An image with what runs chaincode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Runtime {
    /// The image, to which `registry.rewrites` apply. The launcher reads it from its registry, as it
    /// asks for that of a toolchain, and lays what was built over it: its layers are copied to the
    /// repository of the chaincode's images once.
    #[schemars(length(min = 1))]
    pub image: String,
}

/// An image with a compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toolchain {
    /// The image, to which `registry.rewrites` apply. The launcher asks its registry which image a
    /// tag is, over HTTPS (or as `registry.plainHttp` says, where both are one registry), with the
    /// credentials that `registry.secret` has for it, if any. Name it by digest (`…@sha256:…`)
    /// where that registry cannot be asked, as when nodes bring the image along: a tag that moves
    /// to another compiler then goes unnoticed for a source that was built before.
    #[schemars(length(min = 1))]
    pub image: String,
}

/// Certificate authorities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaBundle {
    /// A ConfigMap in the builds' namespace, each of whose values is a PEM file of certificates.
    #[schemars(length(min = 1))]
    pub config_map: String,
}

/// A volume for what builds depend on. In the pod of a build one container alone writes to it, which
/// fetches and runs nothing of what it fetched; the one that compiles reads it, or, if that is Maven,
/// asks for what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildCache {
    /// A `PersistentVolumeClaim` in the builds' namespace, which nobody else writes to. Pods of builds
    /// may run on any node, so it has to be `ReadWriteMany` where there are several.
    #[schemars(length(min = 1))]
    pub claim: String,
    /// How much of it may be taken, such as `5GiB`: beyond it goes what was not used for longest, but
    /// nothing that a build still going on may need. Leave some room in the volume above it. Default:
    /// 5 GiB.
    #[serde(default = "cache_limit")]
    #[schemars(with = "Size", default = "cache_limit")]
    pub limit: ByteSize,
}

/// Credentials for registries and module proxies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildCredentials {
    /// A Secret in the builds' namespace with the keys `.netrc` (for Go's module proxies, for `git`, and
    /// for the repository that `MVNW_REPOURL` names, all over HTTPS), `.npmrc` (for npm's registries),
    /// or both. In the pod of a build the one
    /// container that fetches has them, and runs nothing of what it fetched. What these credentials
    /// can read, whoever installs chaincode can have in it: let them read no more than that.
    #[schemars(length(min = 1))]
    pub secret: String,
}

fn cache_limit() -> ByteSize {
    ByteSize::gib(5)
}

/// What builds reach: by their network policy the launcher, the cluster's DNS and the world, but
/// no private address, no link-local one, and IPv6 only in a cluster that has nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BuildEgress {
    /// Networks inside that builds may reach all the same, such as `10.1.2.0/24`: of a module
    /// proxy, of a company's HTTP proxy, of name servers elsewhere than most clusters have them.
    /// What is allowed has no part in it where clouds serve credentials.
    #[schemars(with = "Vec<Network>")]
    pub allow: Vec<IpNet>,
    /// Networks outside that builds may not reach: of pods, if this cluster's have addresses of the
    /// world, or of the API server, if the launcher may not see its.
    #[schemars(with = "Vec<Network>")]
    pub except: Vec<IpNet>,
}

/// How a network is written.
#[derive(JsonSchema)]
#[schemars(extend("format" = "network"))]
struct Network(#[expect(dead_code, reason = "there for its schema")] String);

impl Builds {
    /// The disk that a build gets, in bytes.
    pub fn disk_bytes(&self) -> u64 {
        // What is no quantity was refused when the file was read, and what is none is none.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        amount(&self.disk).map_or(u64::MAX, |bytes| bytes as u64)
    }
}

impl Default for Builds {
    fn default() -> Self {
        Self {
            timeout: Span::seconds(600),
            parallel: const { NonZeroU16::new(2).unwrap() },
            images_limit: ByteSize::gib(10),
            tools_limit: ByteSize::gib(5),
            toolchains: Toolchains::default(),
            runtimes: Runtimes::default(),
            launcher_image: None,
            port: 7059,
            resources: resources(),
            disk: Quantity("4Gi".into()),
            memory_limit: None,
            environment: BTreeMap::new(),
            ca_bundle: None,
            cache: None,
            credentials: None,
            egress: BuildEgress::default(),
        }
    }
}

impl Default for Toolchains {
    fn default() -> Self {
        let toolchain = |image: &str| Toolchain { image: image.into() };
        Self {
            go: toolchain("docker.io/library/golang:1.26-bookworm"),
            node: toolchain("docker.io/library/node:24-bookworm"),
            java: toolchain("docker.io/library/maven:3.9-eclipse-temurin-21"),
        }
    }
}

impl Default for Runtimes {
    fn default() -> Self {
        let runtime = |image: &str| Runtime { image: image.into() };
        Self {
            node: runtime("docker.io/library/node:24-bookworm-slim"),
            java: runtime("docker.io/library/eclipse-temurin:21-jre"),
        }
    }
}

fn resources() -> ResourceRequirements {
    crate::chaincode::resources(&[("cpu", "1"), ("memory", "2Gi")], &[("memory", "2Gi")])
}

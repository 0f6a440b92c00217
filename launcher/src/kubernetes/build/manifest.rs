//! The objects of one build: pure functions of typed input, held by golden files.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, EnvVar, EnvVarSource, PodSpec, PodTemplateSpec,
    ResourceRequirements, Secret, SecretKeySelector, Volume,
};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::Resource;
use selvedge_buildpack::digest::Sha256;
use selvedge_buildpack::image::{BuildKey, CHAINCODE_GROUP_ID, CHAINCODE_USER_ID};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::recipe::Mirror;
use selvedge_config::Builds;
use selvedge_manifest::{
    MANAGED_BY, MANAGER,
    container::{empty, mount, pull_secrets, variable},
    restricted,
};

use super::pulse::ALIVE_AT;
use super::reach::Reach;

/// Which launcher began a build: its pod's UID.
pub(super) const BEGUN_BY: &str = "selvedge.dev/begun-by";

/// The container that builds.
pub(super) const COMPILE: &str = "compile";

/// The container that fetches before that.
pub(super) const FETCH: &str = "fetch";

/// The container that stays beside the one that builds.
pub(super) const MIRROR: &str = "mirror";

/// The containers whose logs are the build's, in their order.
pub(super) const WITH_LOGS: [&str; 2] = [FETCH, COMPILE];

/// How long an ended Job is kept, in seconds: another launcher may be reading what became of it.
const KEPT: i32 = 120;

/// What a Job may go on after its launcher gave up on it, or is gone, in seconds.
const GRACE: i64 = 30;

/// The label by which the Job controller marks a Job's pods.
pub(super) const JOB_LABEL: &str = "batch.kubernetes.io/job-name";

/// What an object is a part of, and which part builds are.
const COMPONENT: &str = "app.kubernetes.io/component";
const BUILD: &str = "build";

/// The key of the address in the Secret.
const URL: &str = "url";

pub(super) const TOOLS: &str = "/selvedge";

/// Has the launcher's image put its program where a toolchain's image, which knows nothing of it, runs it.
pub(super) const COPY: [&str; 2] = ["copy-self", PROGRAM];
const PROGRAM: &str = "/selvedge/selvedge-launcher";
const WORK: &str = "/work";
pub(super) const AUTHORITIES: &str = "/selvedge-authorities";

/// Where dependencies are that were fetched ahead, or that are kept.
pub(super) const DEPENDENCIES: &str = "/selvedge-dependencies";

/// Where the container that fetches says that it has.
const FETCHED: &str = "/selvedge-fetched";

/// Where the one container finds credentials that has them.
pub(super) const CREDENTIALS: &str = "/selvedge-credentials";

/// One build.
pub(super) struct BuildOrder<'a> {
    pub(super) namespace: &'a str,
    pub(super) key: BuildKey,
    pub(super) source: Sha256,
    pub(super) certificates: Sha256,
    pub(super) language: Language,
    /// The path of the code in the source, as in the package's metadata.
    pub(super) path: &'a str,
    pub(super) platform: Platform,
    /// The image that compiles.
    pub(super) toolchain: &'a str,
    /// Whether its recipe can have dependencies fetched ahead.
    pub(super) is_fetched: bool,
    /// The repository of which its recipe has a mirror.
    pub(super) mirror: Option<&'static dyn Mirror>,
    /// The image with this program.
    pub(super) launcher_image: &'a str,
    /// The pod's UID of the launcher that begins it.
    pub(super) begun_by: &'a str,
    /// Its first sign of life.
    pub(super) alive_at: &'a str,
    /// Tells this attempt's Secret from those of earlier ones, which may still be on their way out.
    pub(super) attempt: &'a str,
    /// The Secrets that the images are pulled with.
    pub(super) pull_secrets: &'a [String],
    /// How long it may take, in seconds.
    pub(super) limit: u64,
    pub(super) settings: &'a Builds,
}

/// The name of a build's objects: the same key, the same name, whoever builds.
pub(super) fn name(key: BuildKey) -> String {
    let digits = key.to_string();
    // Half of a SHA-256 is plenty, and leaves room for the suffix of the pod's name.
    format!("selvedge-build-{}", &digits[..32])
}

/// What selects the builds' Jobs, all launchers'.
pub(super) fn selector() -> String {
    format!("{MANAGED_BY}={MANAGER},{COMPONENT}={BUILD}")
}

impl BuildOrder<'_> {
    /// The Job, suspended: its pod must not start before its policy is there.
    pub(super) fn job(&self) -> Job {
        let pod = PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: Some(self.labels()), ..ObjectMeta::default() }),
            spec: Some(self.pod()),
        };
        Job {
            metadata: ObjectMeta {
                annotations: Some(
                    [(BEGUN_BY, self.begun_by), (ALIVE_AT, self.alive_at)]
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .into(),
                ),
                ..self.metadata()
            },
            spec: Some(JobSpec {
                active_deadline_seconds: Some(seconds(self.limit) + GRACE),
                // What failed is told; a person installs again.
                backoff_limit: Some(0),
                suspend: Some(true),
                template: pod,
                ttl_seconds_after_finished: Some(KEPT),
                ..JobSpec::default()
            }),
            ..Job::default()
        }
    }

    /// The Secret with the build's address.
    pub(super) fn secret(&self, job: &Job, url: &str) -> Secret {
        Secret {
            metadata: self.owned_by(job),
            immutable: Some(true),
            string_data: Some([(URL.to_owned(), url.to_owned())].into()),
            ..Secret::default()
        }
    }

    /// The policy that lets the build reach what it may, and nobody reach the build.
    pub(super) fn policy(&self, job: &Job, reach: &Reach<'_>) -> NetworkPolicy {
        let selector = [(JOB_LABEL.to_owned(), name(self.key))];
        NetworkPolicy {
            metadata: self.owned_by(job),
            spec: Some(NetworkPolicySpec {
                egress: Some(reach.rules()),
                ingress: None,
                pod_selector: Some(LabelSelector {
                    match_labels: Some(selector.into()),
                    ..LabelSelector::default()
                }),
                policy_types: Some(vec!["Egress".to_owned(), "Ingress".to_owned()]),
            }),
        }
    }

    fn metadata(&self) -> ObjectMeta {
        ObjectMeta {
            name: Some(name(self.key)),
            namespace: Some(self.namespace.to_owned()),
            labels: Some(self.labels()),
            ..ObjectMeta::default()
        }
    }

    /// What belongs to the Job goes with it.
    fn owned_by(&self, job: &Job) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.attempt_name()),
            owner_references: Some(job.controller_owner_ref(&()).into_iter().collect()),
            ..self.metadata()
        }
    }

    fn attempt_name(&self) -> String {
        format!("{}-{}", name(self.key), self.attempt)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        [
            ("app.kubernetes.io/name", "selvedge-build".to_owned()),
            ("app.kubernetes.io/instance", name(self.key)),
            (COMPONENT, BUILD.to_owned()),
            ("app.kubernetes.io/part-of", "selvedge".to_owned()),
            (MANAGED_BY, MANAGER.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn pod(&self) -> PodSpec {
        PodSpec {
            automount_service_account_token: Some(false),
            containers: [self.compile()]
                .into_iter()
                .chain(self.fetches().then(|| self.fetch()))
                .collect(),
            enable_service_links: Some(false),
            image_pull_secrets: pull_secrets(self.pull_secrets),
            // One alone: before the next one the kubelet looks, once a second, whether it has ended.
            init_containers: Some(vec![match self.mirrored() {
                Some(mirror) => self.mirror(mirror),
                None => self.bring_tools(),
            }]),
            restart_policy: Some("Never".to_owned()),
            security_context: Some(restricted::pod(
                CHAINCODE_USER_ID.into(),
                CHAINCODE_GROUP_ID.into(),
            )),
            termination_grace_period_seconds: Some(1),
            volumes: Some(self.volumes()),
            ..PodSpec::default()
        }
    }

    fn volumes(&self) -> Vec<Volume> {
        let mut volumes = vec![empty("tools", "256Mi"), empty("work", &self.settings.disk.0)];
        if self.fetches() {
            volumes.extend(self.volumes_to_fetch());
        }
        if self.mirrored().is_some() {
            volumes.extend(self.volumes_to_mirror());
        }
        if let Some(bundle) = &self.settings.ca_bundle {
            volumes.push(Volume {
                name: "authorities".to_owned(),
                config_map: Some(ConfigMapVolumeSource {
                    name: bundle.config_map.clone(),
                    ..ConfigMapVolumeSource::default()
                }),
                ..Volume::default()
            });
        }
        volumes
    }

    /// Puts the static launcher where a toolchain's image, which knows nothing of it, can run it.
    fn bring_tools(&self) -> Container {
        Container {
            name: "tools".to_owned(),
            image: Some(self.launcher_image.to_owned()),
            args: Some(COPY.map(str::to_owned).into()),
            resources: Some(self.own_resources("64Mi")),
            security_context: Some(restricted::container()),
            volume_mounts: Some(vec![mount("tools", TOOLS, false)]),
            ..Container::default()
        }
    }

    fn compile(&self) -> Container {
        let mut container = self.of_toolchain(COMPILE, "build-job", "work");
        container.args.get_or_insert_default().extend(self.to_mirror());
        container
    }

    /// A container of the toolchain's image, which runs a part of this program, and works in a
    /// volume of its own.
    pub(super) fn of_toolchain(&self, name: &str, part: &str, work: &str) -> Container {
        let BuildOrder { settings, .. } = self;
        let mut mounts = vec![mount("tools", TOOLS, true), mount(work, WORK, false)];
        let mut arguments = self.arguments();
        if self.fetches() {
            mounts.push(mount("dependencies", DEPENDENCIES, name != FETCH));
            arguments.push(format!("--dependencies={DEPENDENCIES}"));
            arguments.push(format!("--toolchain={}", self.toolchain));
            mounts.push(mount("fetched", FETCHED, name != FETCH));
            arguments.push(format!("--fetched={FETCHED}/done"));
        }
        let mut environment: Vec<EnvVar> =
            settings.environment.iter().map(|(name, value)| variable(name, value)).collect();
        if settings.ca_bundle.is_some() {
            mounts.push(mount("authorities", AUTHORITIES, true));
            // Go adds the files of this directory to the system's bundle
            // (`src/crypto/x509/root_unix.go`).
            environment.push(variable("SSL_CERT_DIR", AUTHORITIES));
        }
        environment.push(self.url());
        Container {
            name: name.to_owned(),
            image: Some(self.toolchain.to_owned()),
            command: Some(vec![PROGRAM.to_owned(), part.to_owned()]),
            args: Some(arguments),
            env: Some(environment),
            resources: Some(self.compiler_resources()),
            security_context: Some(restricted::container()),
            volume_mounts: Some(mounts),
            working_dir: Some(WORK.to_owned()),
            ..Container::default()
        }
    }

    fn arguments(&self) -> Vec<String> {
        [
            ("source", self.source.to_string()),
            ("certificates", self.certificates.to_string()),
            ("language", self.language.to_string()),
            ("path", self.path.to_owned()),
            ("platform", self.platform.to_string()),
            ("work", WORK.to_owned()),
        ]
        .iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
    }

    /// What the operator's file says, and the disk. CPU is asked for but not limited unless that is
    /// said: a limit makes a build slow on a machine that is idle.
    fn compiler_resources(&self) -> ResourceRequirements {
        let mut resources = self.settings.resources.clone();
        let disk = "ephemeral-storage".to_owned();
        resources.limits.get_or_insert_default().insert(disk.clone(), self.settings.disk.clone());
        // Without a word of it the request is the limit, and no node may have that free.
        let requests = resources.requests.get_or_insert_default();
        requests.entry(disk).or_insert_with(|| Quantity("1Mi".to_owned()));
        resources
    }

    /// What this program takes by itself, with a limit for whatever the compiler has one: a quota wants
    /// it.
    pub(super) fn own_resources(&self, memory: &str) -> ResourceRequirements {
        let quantity = |name: &str, amount: &str| (name.to_owned(), Quantity(amount.to_owned()));
        let mut limits = BTreeMap::from([quantity("memory", memory)]);
        let of_compiler = self.settings.resources.limits.as_ref();
        let cpu = of_compiler.and_then(|limits| limits.get_key_value("cpu"));
        limits.extend(cpu.map(|(name, limit)| (name.clone(), limit.clone())));
        ResourceRequirements {
            limits: Some(limits),
            requests: Some([quantity("cpu", "10m"), quantity("memory", memory)].into()),
            ..ResourceRequirements::default()
        }
    }

    /// From a Secret: whoever may read Jobs must not learn it.
    fn url(&self) -> EnvVar {
        let secret = SecretKeySelector {
            key: URL.to_owned(),
            name: self.attempt_name(),
            ..SecretKeySelector::default()
        };
        EnvVar {
            name: "SELVEDGE_BUILD_URL".to_owned(),
            value_from: Some(EnvVarSource {
                secret_key_ref: Some(secret),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        }
    }
}

fn seconds(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
pub(super) mod tests;

//! The container of a build's pod that brings it the files of a repository, and before that this program,
//! and what it alone has.

use std::net::{Ipv4Addr, SocketAddr};

use k8s_openapi::api::core::v1::{Container, ExecAction, Lifecycle, LifecycleHandler, Volume};
use selvedge_buildpack::recipe::Mirror;
use selvedge_config::Builds;
use selvedge_manifest::container::{mount, variable};
use selvedge_manifest::restricted;

use super::manifest::{AUTHORITIES, BuildOrder, COPY, CREDENTIALS, DEPENDENCIES, MIRROR, TOOLS};

/// Where it listens: nobody but its pod gets there.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7058);

/// The program in the launcher's image (`images/launcher.containerfile`).
const ENTRYPOINT: &str = "/usr/local/bin/selvedge-launcher";

/// The memory that it may have: it holds a piece of each file that is on its way.
const MEMORY: &str = "128Mi";

/// The variables by which it may have to go by way of a proxy.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

impl BuildOrder<'_> {
    /// The repository of which the build has a mirror beside it.
    pub(super) fn mirrored(&self) -> Option<&'static dyn Mirror> {
        let Builds { cache, credentials, environment, .. } = self.settings;
        let is_wanted = cache.is_some() || credentials.is_some();
        self.mirror.filter(|mirror| is_wanted || environment.contains_key(mirror.variable()))
    }

    /// Where the build asks, as an argument for it.
    pub(super) fn to_mirror(&self) -> Option<String> {
        self.mirrored().map(|_| format!("--mirror={LISTEN}"))
    }

    /// The container, which stays beside the one that builds until that has ended. It has nothing in it
    /// but this program, and nothing of the build.
    pub(super) fn mirror(&self, mirror: &dyn Mirror) -> Container {
        let Self { settings, .. } = self;
        let mut arguments = vec![
            "mirror-job".to_owned(),
            format!("--listen={LISTEN}"),
            format!("--language={}", self.language),
        ];
        let mut mounts = vec![mount("tools", TOOLS, false)];
        if let Some(cache) = &settings.cache {
            arguments.push(format!("--dependencies={DEPENDENCIES}"));
            arguments.push(format!("--limit={}", cache.limit.as_u64()));
            arguments.push(format!("--time={}", self.limit));
            mounts.push(mount("dependencies", DEPENDENCIES, false));
        }
        if settings.ca_bundle.is_some() {
            arguments.push(format!("--authorities={AUTHORITIES}"));
            mounts.push(mount("authorities", AUTHORITIES, true));
        }
        if settings.credentials.is_some() {
            arguments.push(format!("--credentials={CREDENTIALS}"));
            mounts.push(mount("credentials", CREDENTIALS, true));
        }
        let is_its = |name: &str| name == mirror.variable() || PROXIES.contains(&name);
        let environment = settings.environment.iter().filter(|(name, _)| is_its(name));
        Container {
            name: MIRROR.to_owned(),
            image: Some(self.launcher_image.to_owned()),
            args: Some(arguments),
            env: Some(environment.map(|(name, value)| variable(name, value)).collect()),
            resources: Some(self.own_resources(MEMORY)),
            // What makes it stay.
            restart_policy: Some("Always".to_owned()),
            // Before it counts as started, and the next container is.
            lifecycle: Some(Lifecycle {
                post_start: Some(LifecycleHandler {
                    exec: Some(ExecAction {
                        command: Some(
                            [ENTRYPOINT].iter().chain(&COPY).map(ToString::to_string).collect(),
                        ),
                    }),
                    ..LifecycleHandler::default()
                }),
                ..Lifecycle::default()
            }),
            security_context: Some(restricted::container()),
            volume_mounts: Some(mounts),
            ..Container::default()
        }
    }

    /// What it has of the cluster's.
    pub(super) fn volumes_to_mirror(&self) -> Vec<Volume> {
        let kept = self.settings.cache.as_ref().map(|_| self.dependencies());
        kept.into_iter().chain(self.credentials()).collect()
    }
}

//! A pod template as the baseline looks at it: everything with its path.

use std::sync::LazyLock;

use k8s_openapi::api::core::v1::{
    Container, PodSecurityContext, PodSpec, PodTemplateSpec, SecurityContext, Volume, VolumeMount,
};

use crate::path::Path;

/// A pod template.
pub(super) struct Pod<'a> {
    template: &'a PodTemplateSpec,
    /// Its specification; an empty one where it has none.
    pub(super) spec: &'a PodSpec,
    /// All containers that a template can have, those first that run first.
    pub(super) containers: Vec<(Path, &'a Container)>,
}

/// What a template without a specification has.
static EMPTY: LazyLock<PodSpec> = LazyLock::new(PodSpec::default);

impl<'a> Pod<'a> {
    pub(super) fn new(template: &'a PodTemplateSpec) -> Self {
        let spec = template.spec.as_ref().unwrap_or(&EMPTY);
        let lists = [
            ("initContainers", list(spec.init_containers.as_ref())),
            ("containers", &spec.containers),
        ];
        let containers = lists.into_iter().flat_map(|(list, containers)| {
            let path = Path::keys(&["spec", list]);
            containers.iter().map(move |each| (path.item("name", &each.name), each))
        });
        Self { template, spec, containers: containers.collect() }
    }

    /// A label's value.
    pub(super) fn label(&self, key: &str) -> Option<&'a String> {
        self.template.metadata.as_ref()?.labels.as_ref()?.get(key)
    }

    /// All annotations.
    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'a String, &'a String)> + use<'a> {
        let metadata = self.template.metadata.as_ref();
        metadata.and_then(|metadata| metadata.annotations.as_ref()).into_iter().flatten()
    }

    /// The container of a path.
    pub(super) fn container(&self, path: &Path) -> Option<&'a Container> {
        self.containers.iter().find(|(other, _)| other == path).map(|(_, container)| *container)
    }

    /// All volumes.
    pub(super) fn volumes(&self) -> impl Iterator<Item = (Path, &'a Volume)> + use<'a> {
        list(self.spec.volumes.as_ref()).iter().map(|volume| (volume_path(&volume.name), volume))
    }

    /// What is set of something that the pod may set for all of its containers, and each for itself.
    pub(super) fn set<T>(
        &self,
        field: &str,
        of_pod: impl Fn(&'a PodSecurityContext) -> Option<T>,
        of_container: impl Fn(&'a SecurityContext) -> Option<T>,
    ) -> Vec<(Path, T)> {
        let pod = self.spec.security_context.as_ref().and_then(of_pod);
        let pod = pod.map(|value| (Path::keys(&["spec", "securityContext"]), value));
        let containers = self.containers.iter().filter_map(|(path, container)| {
            let value = of_container(container.security_context.as_ref()?)?;
            Some((path.key("securityContext"), value))
        });
        let all = pod.into_iter().chain(containers);
        all.map(|(path, value)| (path.key(field), value)).collect()
    }
}

/// The path of a volume.
pub(super) fn volume_path(name: &str) -> Path {
    Path::keys(&["spec", "volumes"]).item("name", name)
}

/// The path of a container's mount.
pub(super) fn mount_path(container: &Path, mount: &VolumeMount) -> Path {
    container.key("volumeMounts").item("mountPath", &mount.mount_path)
}

/// The items of a list that may be left out.
pub(super) fn list<T>(list: Option<&Vec<T>>) -> &[T] {
    list.map_or(&[], Vec::as_slice)
}

//! What pods and their containers are written with: variables, volumes, mounts and pull Secrets.

use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, EnvVar, LocalObjectReference, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// An environment variable.
pub fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), ..EnvVar::default() }
}

/// A volume, by its name, at a path.
pub fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// A volume that begins empty and holds so much.
pub fn empty(name: &str, size: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(size.to_owned())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// The Secrets that images are pulled with.
pub fn pull_secrets(names: &[String]) -> Option<Vec<LocalObjectReference>> {
    let secrets = names.iter().map(|name| LocalObjectReference { name: name.clone() });
    Some(secrets.collect()).filter(|secrets: &Vec<_>| !secrets.is_empty())
}

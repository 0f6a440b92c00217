//! The files that an operator gives a chaincode, from Secrets and `ConfigMap`s.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, KeyToPath, ProjectedVolumeSource, SecretProjection, Volume, VolumeMount,
    VolumeProjection,
};
use selvedge_config::FileSource;

/// The volume that holds them all.
const VOLUME: &str = "files";

/// Read by the owner and the pod's group.
const MODE: i32 = 0o440;

/// The volume with all files, each under a number; none without files.
pub(super) fn volume(files: &BTreeMap<String, FileSource>) -> Option<Volume> {
    let sources: Vec<_> = files.values().zip(0..).filter_map(|(file, n)| source(file, n)).collect();
    (!sources.is_empty()).then(|| Volume {
        name: VOLUME.into(),
        projected: Some(ProjectedVolumeSource { default_mode: Some(MODE), sources: Some(sources) }),
        ..Volume::default()
    })
}

/// Where each of them is mounted.
pub(super) fn mounts(files: &BTreeMap<String, FileSource>) -> Vec<VolumeMount> {
    let mount = |(path, number): (&String, u32)| VolumeMount {
        name: VOLUME.into(),
        mount_path: path.clone(),
        sub_path: Some(number.to_string()),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    files.keys().zip(0..).map(mount).collect()
}

fn source(file: &FileSource, number: u32) -> Option<VolumeProjection> {
    let item = |key: &str| {
        vec![KeyToPath { key: key.into(), path: number.to_string(), ..KeyToPath::default() }]
    };
    if let Some(secret) = &file.secret_key_ref {
        return Some(VolumeProjection {
            secret: Some(SecretProjection {
                name: secret.name.clone(),
                items: Some(item(&secret.key)),
                optional: secret.optional,
            }),
            ..VolumeProjection::default()
        });
    }
    let config_map = file.config_map_key_ref.as_ref()?;
    Some(VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: config_map.name.clone(),
            items: Some(item(&config_map.key)),
            optional: config_map.optional,
        }),
        ..VolumeProjection::default()
    })
}

//! What an operator may allow an overlay to lift of the security baseline, each by a name of its own.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that an overlay may lift where it is allowed. Those of the Pod Security Standards have
/// the name of the field that they are about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Allowance {
    /// A container may gain rights over those of its parent process.
    AllowPrivilegeEscalation,
    /// A container may be without `AppArmor`, or with a profile of another kind.
    AppArmorProfile,
    /// A container may have capabilities beyond `NET_BIND_SERVICE`.
    CapabilitiesAdd,
    /// A container may keep the capabilities that a runtime gives.
    CapabilitiesDrop,
    /// The chaincode may be started with another command or other arguments.
    ChaincodeCommand,
    /// The chaincode's container may run another image than the one that was built.
    ChaincodeImage,
    /// The pod may ask servers of names; the network policy says which it reaches.
    Dns,
    /// The container that waits for the way to the proxy may be changed or go.
    Gate,
    /// The pod may share the node's IPC namespace.
    #[serde(rename = "hostIPC")]
    HostIpc,
    /// The pod may be on the node's network, where its network policy does not hold.
    HostNetwork,
    /// The pod may see the node's processes.
    #[serde(rename = "hostPID")]
    HostPid,
    /// The pod may mount directories of the node.
    HostPath,
    /// A container may take ports of the node.
    HostPorts,
    /// A container may be a process of a Windows node itself.
    HostProcess,
    /// Probes and hooks may have the kubelet call other hosts than the pod.
    ProbeHost,
    /// A container may be privileged, which is root on the node.
    Privileged,
    /// A container may see what the runtime hides of `/proc`.
    ProcMount,
    /// A container may run without the promise that it is not root.
    RunAsNonRoot,
    /// A container may run as user 0.
    RunAsRoot,
    /// A container may choose its `SELinux` user, role or type.
    SeLinuxOptions,
    /// A container may be without a seccomp profile.
    SeccompProfile,
    /// The pod may have a token of its service account.
    ServiceAccountToken,
    /// Another container may have the replicas' credentials, and be taken for one.
    ShareCredentials,
    /// The pod's containers may see one another's processes.
    ShareProcessNamespace,
    /// The pod may set kernel parameters that are not known to be safe.
    Sysctls,
    /// The pod may have volumes of types that reach beyond it, such as `nfs`.
    VolumeTypes,
    /// A container's root may be written to.
    WritableRootFilesystem,
}

impl Allowance {
    /// All there are, in the order of their names.
    pub const ALL: [Self; 27] = [
        Self::AllowPrivilegeEscalation,
        Self::AppArmorProfile,
        Self::CapabilitiesAdd,
        Self::CapabilitiesDrop,
        Self::ChaincodeCommand,
        Self::ChaincodeImage,
        Self::Dns,
        Self::Gate,
        Self::HostIpc,
        Self::HostNetwork,
        Self::HostPid,
        Self::HostPath,
        Self::HostPorts,
        Self::HostProcess,
        Self::ProbeHost,
        Self::Privileged,
        Self::ProcMount,
        Self::RunAsNonRoot,
        Self::RunAsRoot,
        Self::SeLinuxOptions,
        Self::SeccompProfile,
        Self::ServiceAccountToken,
        Self::ShareCredentials,
        Self::ShareProcessNamespace,
        Self::Sysctls,
        Self::VolumeTypes,
        Self::WritableRootFilesystem,
    ];
}

impl fmt::Display for Allowance {
    /// The name in the operator's file.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(out)
    }
}

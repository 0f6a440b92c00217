//! The restricted Pod Security Standard, control by control
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>), with the meaning that
//! `k8s.io/pod-security-admission/policy` gives to each. Windows is no exception here.

use k8s_openapi::api::core::v1::{Container, SecurityContext};
use serde_json::Value;

use super::finding::Finding;
use super::pod::{Pod, list};
use crate::path::Path;
use selvedge_config::Allowance;

/// The standard's name of a control, and what of a pod is against it.
type Control = (&'static str, fn(&Pod<'_>) -> Vec<Finding>);

const CONTROLS: [Control; 16] = [
    ("HostProcess", host_process),
    ("Host Namespaces", host_namespaces),
    ("Privileged Containers", privileged),
    ("Capabilities", capabilities),
    ("HostPath Volumes", host_path),
    ("Host Ports", host_ports),
    ("Host Probes / Lifecycle Hooks", probe_hosts),
    ("AppArmor", app_armor),
    ("SELinux", se_linux),
    ("/proc Mount Type", proc_mount),
    ("Seccomp", seccomp),
    ("Sysctls", sysctls),
    ("Volume Types", volume_types),
    ("Privilege Escalation", privilege_escalation),
    ("Running as Non-root", run_as_non_root),
    ("Running as Non-root user", run_as_root),
];

/// The annotations that profiles of `AppArmor` were set by before there was a field.
const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The types of processes that a container may have under `SELinux`.
const SE_LINUX_TYPES: [&str; 5] =
    ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// The kernel parameters that are a pod's own.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// The types of volumes that reach nothing but the pod and what the cluster gives to it.
const VOLUME_TYPES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What of a pod is against the standard.
pub(super) fn findings(pod: &Pod<'_>) -> Vec<Finding> {
    let named = |control: &str, Finding { path, reason, allowance }| Finding {
        path,
        reason: format!("{reason} (Pod Security, {control})"),
        allowance,
    };
    let all = CONTROLS.iter().flat_map(|(control, find)| {
        find(pod).into_iter().map(move |finding| named(control, finding))
    });
    all.collect()
}

fn host_process(pod: &Pod<'_>) -> Vec<Finding> {
    let set = pod.set(
        "windowsOptions",
        |all| all.windows_options.as_ref()?.host_process,
        |own| own.windows_options.as_ref()?.host_process,
    );
    let set = set.into_iter().filter(|(_, host_process)| *host_process);
    let finding =
        |path: Path| Finding::lifts(Allowance::HostProcess, path, "a process of the node itself");
    set.map(|(path, _)| finding(path.key("hostProcess"))).collect()
}

fn host_namespaces(pod: &Pod<'_>) -> Vec<Finding> {
    let shared = [
        (Allowance::HostNetwork, "hostNetwork", pod.spec.host_network),
        (Allowance::HostPid, "hostPID", pod.spec.host_pid),
        (Allowance::HostIpc, "hostIPC", pod.spec.host_ipc),
    ];
    let shared = shared.into_iter().filter(|(_, _, shared)| *shared == Some(true));
    let finding = |(allowance, field, _)| {
        Finding::lifts(allowance, Path::keys(&["spec", field]), "shares a namespace of the node")
    };
    shared.map(finding).collect()
}

fn privileged(pod: &Pod<'_>) -> Vec<Finding> {
    of_containers(pod, "privileged", |own| {
        let privileged = own?.privileged?;
        privileged.then(|| (Allowance::Privileged, "a privileged container".into()))
    })
}

fn capabilities(pod: &Pod<'_>) -> Vec<Finding> {
    let names = |names: Option<&Vec<String>>| names.cloned().unwrap_or_default();
    let mut findings = of_containers(pod, "capabilities", |own| {
        let dropped = own.and_then(|own| own.capabilities.as_ref()?.drop.as_ref());
        let all = names(dropped).iter().any(|name| name == "ALL");
        (!all).then(|| (Allowance::CapabilitiesDrop, "does not drop `ALL` capabilities".into()))
    });
    findings.extend(of_containers(pod, "capabilities", |own| {
        let mut added = names(own?.capabilities.as_ref()?.add.as_ref());
        added.retain(|name| name != "NET_BIND_SERVICE");
        let reason = format!("adds the capability {}", added.join(", "));
        (!added.is_empty()).then_some((Allowance::CapabilitiesAdd, reason))
    }));
    findings
}

fn host_path(pod: &Pod<'_>) -> Vec<Finding> {
    let volumes = pod.volumes().filter_map(|(path, volume)| {
        let directory = &volume.host_path.as_ref()?.path;
        let reason = format!("mounts {directory} of the node");
        Some(Finding::lifts(Allowance::HostPath, path.key("hostPath"), reason))
    });
    volumes.collect()
}

fn host_ports(pod: &Pod<'_>) -> Vec<Finding> {
    let ports = pod.containers.iter().flat_map(|(path, container)| {
        let ports = list(container.ports.as_ref()).iter();
        let taken = ports.filter_map(|port| {
            let number = port.host_port.filter(|number| *number != 0)?;
            let path = path.key("ports").item("containerPort", port.container_port);
            let reason = format!("takes port {number} of the node");
            Some(Finding::lifts(Allowance::HostPorts, path.key("hostPort"), reason))
        });
        taken.collect::<Vec<_>>()
    });
    ports.collect()
}

/// The kubelet calls, from the node, whom a probe or hook names.
fn probe_hosts(pod: &Pod<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, container) in &pod.containers {
        for (field, http, tcp) in called(container) {
            for (action, host) in [("httpGet", http), ("tcpSocket", tcp)] {
                let Some(host) = host.filter(|host| !host.is_empty()) else { continue };
                let path = field.iter().fold(path.clone(), |path, key| path.key(key));
                let path = path.key(action).key("host");
                let reason = format!("the kubelet would call {host}");
                findings.push(Finding::lifts(Allowance::ProbeHost, path, reason));
            }
        }
    }
    findings
}

type Called<'a> = (Vec<&'static str>, Option<&'a String>, Option<&'a String>);

/// The hosts that a container's probes and hooks name, for HTTP and for TCP.
fn called(container: &Container) -> Vec<Called<'_>> {
    let probes = [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ];
    let probes = probes.into_iter().filter_map(|(field, probe)| {
        let probe = probe.as_ref()?;
        let http = probe.http_get.as_ref().and_then(|get| get.host.as_ref());
        let tcp = probe.tcp_socket.as_ref().and_then(|socket| socket.host.as_ref());
        Some((vec![field], http, tcp))
    });
    let hooks = container.lifecycle.iter().flat_map(|lifecycle| {
        [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)]
    });
    let hooks = hooks.filter_map(|(field, hook)| {
        let hook = hook.as_ref()?;
        let http = hook.http_get.as_ref().and_then(|get| get.host.as_ref());
        let tcp = hook.tcp_socket.as_ref().and_then(|socket| socket.host.as_ref());
        Some((vec!["lifecycle", field], http, tcp))
    });
    probes.chain(hooks).collect()
}

fn app_armor(pod: &Pod<'_>) -> Vec<Finding> {
    let set = pod.set(
        "appArmorProfile",
        |all| all.app_armor_profile.as_ref(),
        |own| own.app_armor_profile.as_ref(),
    );
    let fields = set.into_iter().map(|(path, profile)| {
        let enforced = ["RuntimeDefault", "Localhost"].contains(&profile.type_.as_str());
        (path.key("type"), enforced, &profile.type_)
    });
    let annotations = pod.annotations().filter(|(key, _)| key.starts_with(APP_ARMOR_ANNOTATION));
    let annotations = annotations.map(|(key, profile)| {
        let enforced = ["", "runtime/default"].contains(&profile.as_str())
            || profile.starts_with("localhost/");
        (Path::keys(&["metadata", "annotations", key]), enforced, profile)
    });
    let lifted = fields.chain(annotations).filter(|(_, enforced, _)| !enforced);
    let finding = |(path, _, profile): (Path, bool, &String)| {
        Finding::lifts(Allowance::AppArmorProfile, path, format!("is {profile}"))
    };
    lifted.map(finding).collect()
}

fn se_linux(pod: &Pod<'_>) -> Vec<Finding> {
    let set = pod.set(
        "seLinuxOptions",
        |all| all.se_linux_options.as_ref(),
        |own| own.se_linux_options.as_ref(),
    );
    let fields = set.into_iter().flat_map(|(path, options)| {
        let kind = options.type_.as_ref().filter(|kind| !SE_LINUX_TYPES.contains(&kind.as_str()));
        let user = options.user.as_ref().filter(|user| !user.is_empty());
        let role = options.role.as_ref().filter(|role| !role.is_empty());
        let fields = [("type", kind), ("user", user), ("role", role)];
        fields.map(|(field, value)| Some((path.key(field), value?)))
    });
    let finding = |(path, value): (Path, &String)| {
        Finding::lifts(Allowance::SeLinuxOptions, path, format!("is {value}"))
    };
    fields.flatten().map(finding).collect()
}

fn proc_mount(pod: &Pod<'_>) -> Vec<Finding> {
    of_containers(pod, "procMount", |own| {
        let kind = own?.proc_mount.as_ref().filter(|kind| *kind != "Default")?;
        Some((Allowance::ProcMount, format!("is {kind}")))
    })
}

fn seccomp(pod: &Pod<'_>) -> Vec<Finding> {
    let filtered = |kind: &str| ["RuntimeDefault", "Localhost"].contains(&kind);
    let set = pod.set(
        "seccompProfile",
        |all| all.seccomp_profile.as_ref(),
        |own| own.seccomp_profile.as_ref(),
    );
    let set = set.into_iter().filter(|(_, profile)| !filtered(&profile.type_));
    let lifted = set.map(|(path, profile)| {
        let reason = format!("is {}", profile.type_);
        Finding::lifts(Allowance::SeccompProfile, path.key("type"), reason)
    });
    let context = pod.spec.security_context.as_ref();
    let of_pod = context.and_then(|all| all.seccomp_profile.as_ref());
    let by_pod = of_pod.is_some_and(|profile| filtered(&profile.type_));
    let unset = of_containers(pod, "seccompProfile", |own| {
        let set = by_pod || own.is_some_and(|own| own.seccomp_profile.is_some());
        (!set).then(|| {
            (Allowance::SeccompProfile, "neither the container nor the pod sets it".into())
        })
    });
    lifted.chain(unset).collect()
}

fn sysctls(pod: &Pod<'_>) -> Vec<Finding> {
    let path = Path::keys(&["spec", "securityContext", "sysctls"]);
    let set = pod.spec.security_context.as_ref().map_or(&[][..], |all| list(all.sysctls.as_ref()));
    let unsafe_ones = set.iter().filter(|sysctl| !SAFE_SYSCTLS.contains(&sysctl.name.as_str()));
    let finding = |name: &String| {
        let reason = "a parameter of the kernel that is not known to be safe";
        Finding::lifts(Allowance::Sysctls, path.item("name", name), reason)
    };
    unsafe_ones.map(|sysctl| finding(&sysctl.name)).collect()
}

/// By the names of the types: a type that is new to Kubernetes is none of those that are known.
fn volume_types(pod: &Pod<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, volume) in pod.volumes() {
        let Ok(Value::Object(fields)) = serde_json::to_value(volume) else { continue };
        let other = |field: &&String| {
            !["name", "hostPath"].contains(&field.as_str())
                && !VOLUME_TYPES.contains(&field.as_str())
        };
        findings.extend(fields.keys().filter(other).map(|field| {
            let reason = "a volume of a type that reaches beyond the pod";
            Finding::lifts(Allowance::VolumeTypes, path.key(field), reason)
        }));
    }
    findings
}

fn privilege_escalation(pod: &Pod<'_>) -> Vec<Finding> {
    of_containers(pod, "allowPrivilegeEscalation", |own| {
        let allowed = own.and_then(|own| own.allow_privilege_escalation);
        (allowed != Some(false))
            .then(|| (Allowance::AllowPrivilegeEscalation, "is not false".into()))
    })
}

fn run_as_non_root(pod: &Pod<'_>) -> Vec<Finding> {
    let set = pod.set("runAsNonRoot", |all| all.run_as_non_root, |own| own.run_as_non_root);
    let lifted = set.into_iter().filter(|(_, non_root)| !non_root);
    let lifted = lifted.map(|(path, _)| Finding::lifts(Allowance::RunAsNonRoot, path, "is false"));
    let by_pod = pod.spec.security_context.as_ref().and_then(|all| all.run_as_non_root);
    let unset = of_containers(pod, "runAsNonRoot", |own| {
        let set = by_pod == Some(true) || own.is_some_and(|own| own.run_as_non_root.is_some());
        (!set)
            .then(|| (Allowance::RunAsNonRoot, "neither the container nor the pod sets it".into()))
    });
    lifted.chain(unset).collect()
}

fn run_as_root(pod: &Pod<'_>) -> Vec<Finding> {
    let set = pod.set("runAsUser", |all| all.run_as_user, |own| own.run_as_user);
    let root = set.into_iter().filter(|(_, user)| *user == 0);
    root.map(|(path, _)| Finding::lifts(Allowance::RunAsRoot, path, "is root")).collect()
}

/// What the security contexts of single containers have, or lack, of a field.
fn of_containers(
    pod: &Pod<'_>,
    field: &str,
    find: impl Fn(Option<&SecurityContext>) -> Option<(Allowance, String)>,
) -> Vec<Finding> {
    let findings = pod.containers.iter().filter_map(|(path, container)| {
        let (allowance, reason) = find(container.security_context.as_ref())?;
        Some(Finding::lifts(allowance, path.key("securityContext").key(field), reason))
    });
    findings.collect()
}

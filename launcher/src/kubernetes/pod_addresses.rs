//! At which addresses a pod is.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;

/// All that the pod has, that by which it is dialled first: nobody knows by which of them it reaches the
/// proxy.
pub(super) fn addresses(pod: &Pod) -> impl Iterator<Item = IpAddr> {
    let status = pod.status.iter();
    let texts = status.flat_map(|status| {
        let all = status.pod_ips.iter().flatten().map(|address| &address.ip);
        status.pod_ip.iter().chain(all)
    });
    texts.filter_map(|text| text.parse().ok())
}

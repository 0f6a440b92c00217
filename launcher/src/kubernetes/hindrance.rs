//! What keeps a pod from running: what it is about, and whether it passes by itself. Read from the
//! reasons that Kubernetes gives, of chaincode's pods and of builds' alike.

use k8s_openapi::api::core::v1::Event;

/// Events about a pod that cannot be set up (`pkg/kubelet/events/event.go`).
const SANDBOX: [&str; 3] = ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"];

/// From this many times on such an event is no passing one.
const REPEATED: i32 = 2;

/// How the runtime's answer says that a registry has no such image: its gRPC status, which the
/// kubelet passes on in words (`pkg/kubelet/images/image_manager.go`).
const NO_SUCH_IMAGE: &str = "code = NotFound";

/// How the API server says that there is no room for an object now
/// (`k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`, `CheckRequest`).
const NO_ROOM: [&str; 2] = ["exceeded quota: ", "status unknown for quota: "];

/// How it says that an object is not welcome, and will not be: by Pod Security
/// (`k8s.io/pod-security-admission/admission/admission.go`), by a webhook or a policy
/// (`k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go`,
/// `plugin/policy/validating`).
const NOT_WELCOME: [&str; 3] = ["violates PodSecurity", "denied the request", "denied request"];

/// What a trouble is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// No pod may be made: a quota, an admission.
    Create,
    /// No node takes the pod.
    Schedule,
    /// The image cannot be had.
    Image,
    /// The pod's volumes or network cannot be made.
    Sandbox,
    /// The container cannot be made.
    Container,
    /// It ends again and again.
    Crash,
}

/// Whether a hindrance passes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// It does not: a person has to change something.
    Lasting,
    /// Another try may succeed, and is made after a pause that doubles each time.
    Passing,
    /// There is no room; there is when others end.
    Crowded,
}

/// What a container waits for, by the state's reason (`pkg/kubelet/images/types.go`,
/// `k8s.io/cri-api/pkg/errors/errors.go`, `pkg/kubelet/container/sync_result.go`,
/// `pkg/kubelet/kuberuntime/kuberuntime_container.go`); `None` for what is no hindrance.
pub(crate) fn of_waiting(reason: &str, message: &str) -> Option<(TroubleKind, Outlook)> {
    Some(match reason {
        "InvalidImageName" | "ErrImageNeverPull" => (TroubleKind::Image, Outlook::Lasting),
        "ErrImagePull" | "ImagePullBackOff" if message.contains(NO_SUCH_IMAGE) => {
            (TroubleKind::Image, Outlook::Lasting)
        }
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => (TroubleKind::Image, Outlook::Passing),
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "PreCreateHookError"
        | "PreStartHookError"
        | "RunContainerError" => (TroubleKind::Container, Outlook::Passing),
        "CrashLoopBackOff" => (TroubleKind::Crash, Outlook::Passing),
        _ => return None,
    })
}

/// What a refusal to make a pod means, in the words of the API server.
pub(crate) fn of_refusal(message: &str) -> Outlook {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&NO_ROOM) {
        Outlook::Crowded
    } else if says(&NOT_WELCOME) {
        Outlook::Lasting
    } else {
        // A webhook that does not answer, a quota's conflict, an API server that is busy.
        Outlook::Passing
    }
}

/// The event, of those given, by which a pod with this UID cannot be set up, if that was tried
/// again already.
pub(crate) fn of_sandbox<'a>(uid: Option<&str>, warnings: &[&'a Event]) -> Option<&'a Event> {
    let of_pod = |event: &&&Event| event.involved_object.uid.as_deref() == uid;
    SANDBOX.iter().find_map(|reason| {
        let mut same =
            warnings.iter().filter(of_pod).filter(|event| event.reason.as_deref() == Some(reason));
        // The words may differ each time, by a container's ID: then each is an event.
        let times: i32 = same.clone().map(|event| times(event)).sum();
        same.next_back().copied().filter(|_| times >= REPEATED)
    })
}

fn times(event: &Event) -> i32 {
    event.series.as_ref().and_then(|series| series.count).or(event.count).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_more_tries_may_help() {
        let unavailable = "rpc error: code = Unavailable desc = 503 Service Unavailable";
        let missing = "Back-off pulling image \"go:1\": ErrImagePull: rpc error: code = NotFound \
                       desc = failed to resolve reference \"go:1\": not found";
        for (reason, message, expected) in [
            ("ErrImagePull", unavailable, Some((TroubleKind::Image, Outlook::Passing))),
            ("ImagePullBackOff", unavailable, Some((TroubleKind::Image, Outlook::Passing))),
            ("ImagePullBackOff", missing, Some((TroubleKind::Image, Outlook::Lasting))),
            ("ImageInspectError", "", Some((TroubleKind::Image, Outlook::Passing))),
            ("SignatureValidationFailed", "", Some((TroubleKind::Image, Outlook::Passing))),
            ("InvalidImageName", "", Some((TroubleKind::Image, Outlook::Lasting))),
            ("ErrImageNeverPull", "", Some((TroubleKind::Image, Outlook::Lasting))),
            ("CreateContainerConfigError", "", Some((TroubleKind::Container, Outlook::Passing))),
            ("CrashLoopBackOff", "", Some((TroubleKind::Crash, Outlook::Passing))),
            ("ContainerCreating", "", None),
            ("PodInitializing", "", None),
        ] {
            assert_eq!(of_waiting(reason, message), expected, "{reason}");
        }
    }

    #[test]
    fn what_a_refusal_means() {
        for (message, expected) in [
            (
                "pods \"a-\" is forbidden: exceeded quota: small, requested: pods=1",
                Outlook::Crowded,
            ),
            ("pods \"a-\" is forbidden: status unknown for quota: small", Outlook::Crowded),
            (
                "pods \"a-\" is forbidden: violates PodSecurity \"restricted:latest\": …",
                Outlook::Lasting,
            ),
            ("admission webhook \"policy.example.com\" denied the request: no", Outlook::Lasting),
            (
                "pods \"a-\" is forbidden: ValidatingAdmissionPolicy 'a' with binding 'a' denied \
                 request: no",
                Outlook::Lasting,
            ),
            (
                "Internal error occurred: failed calling webhook \"policy.example.com\": connection \
                 refused",
                Outlook::Passing,
            ),
            (
                "Operation cannot be fulfilled on resourcequotas \"small\": the object has been \
                 modified",
                Outlook::Passing,
            ),
        ] {
            assert_eq!(of_refusal(message), expected, "{message}");
        }
    }
}

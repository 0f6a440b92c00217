//! The keeper (`selvedge-keeper`): the first process of a chaincode's container, which starts what the
//! image would have started. The gate leaves it where the image, which knows nothing of it, can run
//! it; nobody may write there any more.

use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, Volume, VolumeMount};
use selvedge_buildpack::image::ImageCommand;

use selvedge_config::{Function, Keep};

use super::{CONTAINER, GATE, KEEPER_PORT};
use crate::container::{empty, mount};

/// The volume that it is brought in.
pub(super) const VOLUME: &str = "keeper";

/// Where that is mounted.
const DIRECTORY: &str = "/selvedge";

/// The program, and what it is there for.
const PROGRAM: &str = "/selvedge/keeper";
const KEEP: &str = "keep";
const END_OF_OPTIONS: &str = "--";
const NOW: &str = "--now";
const ORDERS: &str = "--orders=";
const ON_DEMAND: &str = "--on-demand=";

/// What the chaincode gets between SIGTERM and SIGKILL, when its transactions have had their time.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// What a keeper gets beyond what it gives the chaincode.
const MARGIN: Duration = Duration::from_secs(1);

/// Room for the program, several times.
const SIZE: &str = "16Mi";

/// Where a chaincode and its proxy come together.
#[derive(Clone, Copy)]
pub(super) enum Meeting {
    /// The chaincode dials the proxy there, and is started only while that can be reached.
    Proxy(SocketAddr),
    /// The proxy dials the chaincode at this port, which waits for nobody.
    Server(u16),
}

/// What a launcher may order of a keeper.
#[derive(Clone, Copy)]
pub(super) enum Orders {
    /// Nothing: it has no port for that.
    None,
    /// To kill what hangs, which is started again.
    Kill,
    /// To start it when it is called, too; in a pod that a call has made it is started at once.
    Start(Function),
}

impl Orders {
    fn options(self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Kill => vec![format!("{ORDERS}{KEEPER_PORT}")],
            Self::Start(Function { keep, .. }) => {
                let now = (keep == Keep::Nothing).then(|| NOW.to_owned());
                [format!("{ON_DEMAND}{KEEPER_PORT}")].into_iter().chain(now).collect()
            }
        }
    }
}

/// Whether the pod's keeper can be ordered to kill its chaincode, by what the pod says of itself. On
/// its node's network its address is others' as well.
pub fn takes_orders_to_kill(pod: &PodSpec) -> bool {
    let order = format!("{ORDERS}{KEEPER_PORT}");
    let chaincode = pod.containers.iter().find(|container| container.name == CONTAINER);
    let command = chaincode.and_then(|container| container.command.as_ref());
    !is_on_node(pod) && command.is_some_and(|words| words.contains(&order))
}

/// Whether the pod has no network of its own.
pub(super) fn is_on_node(pod: &PodSpec) -> bool {
    pod.host_network == Some(true)
}

/// The command of a container in which a keeper starts what the image would have started. When the
/// pod is to go, its transactions in flight have this long, and the keeper knows by the ports of
/// connections whether there can be any.
pub(super) fn command(
    image: &ImageCommand,
    drain: Duration,
    meeting: Meeting,
    orders: Orders,
) -> Vec<String> {
    let meeting = match meeting {
        Meeting::Proxy(address) => format!("--proxy={address}"),
        Meeting::Server(port) => format!("--server-port={port}"),
    };
    let drain = format!("--drain-ms={}", drain.as_millis());
    let grace = format!("--grace-ms={}", GRACE.as_millis());
    let own = [PROGRAM, KEEP].map(str::to_owned).into_iter();
    let own = own.chain([drain, meeting, grace]).chain(orders.options());
    let own = own.chain([END_OF_OPTIONS.to_owned()]);
    own.chain(image.entrypoint.iter().map(|word| verbatim(word))).collect()
}

/// How long the pod has to end in which a keeper lets transactions take this long.
pub(super) fn grace(drain: Duration) -> Duration {
    drain.saturating_add(GRACE + MARGIN)
}

/// The arguments of that container: the image's own, which a command of a container's takes away,
/// unless there are others.
pub(super) fn arguments(image: &ImageCommand, others: &[String]) -> Vec<String> {
    if others.is_empty() {
        image.cmd.iter().map(|word| verbatim(word)).collect()
    } else {
        others.to_vec()
    }
}

/// A word of an image's, which is none of a container's: there `$(NAME)` is a variable's value, and
/// `$$` a dollar (`third_party/forked/golang/expansion/expand.go` of Kubernetes).
fn verbatim(word: &str) -> String {
    word.replace('$', "$$")
}

/// The volume that the gate leaves it in.
pub(super) fn volume() -> Volume {
    empty(VOLUME, SIZE)
}

/// Where the gate finds that.
pub(super) fn left() -> VolumeMount {
    mount(VOLUME, DIRECTORY, false)
}

/// Where the chaincode's container finds that.
pub(super) fn found() -> VolumeMount {
    mount(VOLUME, DIRECTORY, true)
}

/// The argument by which the gate is told to leave it there.
pub(super) fn order() -> String {
    format!("--keeper={PROGRAM}")
}

/// Whether the keeper still starts what the image would have started, once an overlay has been merged
/// into a template: one that has the chaincode started otherwise, from another image, or by a gate
/// that is none of ours, has it started without.
pub(super) fn stays(before: &PodTemplateSpec, after: &PodTemplateSpec) -> bool {
    let command = |template| {
        chaincode(template).map(|container| (container.image.clone(), container.command.clone()))
    };
    let bringer = |template| {
        gate(template).map(|gate| (gate.image.clone(), gate.command.clone(), gate.args.clone()))
    };
    command(before) == command(after) && bringer(before) == bringer(after)
}

fn chaincode(template: &PodTemplateSpec) -> Option<&Container> {
    template.spec.as_ref()?.containers.iter().find(|container| container.name == CONTAINER)
}

fn gate(template: &PodTemplateSpec) -> Option<&Container> {
    let containers = template.spec.as_ref()?.init_containers.as_ref()?;
    containers.iter().find(|container| container.name == GATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_the_image_would_have_started_is_started() {
        let image = ImageCommand {
            entrypoint: words(&["/bin/sh", "-c", "exec $(which java) $@", "java"]),
            cmd: words(&["-jar", "$HOME/it.jar"]),
        };
        let kept = words(&[
            "/selvedge/keeper",
            "keep",
            "--drain-ms=1500",
            "--proxy=10.96.0.7:7052",
            "--grace-ms=2000",
            "--",
            "/bin/sh",
            "-c",
            "exec $$(which java) $$@",
            "java",
        ]);
        let drain = Duration::from_millis(1500);
        let proxy = Meeting::Proxy("10.96.0.7:7052".parse().unwrap());
        assert_eq!(super::command(&image, drain, proxy, Orders::None), kept);
        let server = Meeting::Server(9999);
        assert_eq!(super::command(&image, drain, server, Orders::None)[3], "--server-port=9999");
        let killed = super::command(&image, drain, proxy, Orders::Kill);
        assert_eq!(killed[5..7], words(&["--orders=9998", "--"]));
        let on_demand = |keep| {
            let function = Function { keep, ..Function::default() };
            super::command(&image, drain, proxy, Orders::Start(function))[5..8].to_vec()
        };
        assert_eq!(on_demand(Keep::Pod), words(&["--on-demand=9998", "--", "/bin/sh"]));
        assert_eq!(on_demand(Keep::Nothing), words(&["--on-demand=9998", "--now", "--"]));
        assert_eq!(arguments(&image, &[]), words(&["-jar", "$$HOME/it.jar"]));
        let planned = words(&["--peerAddress", "proxy:7052"]);
        assert_eq!(arguments(&image, &planned), planned);
    }
}

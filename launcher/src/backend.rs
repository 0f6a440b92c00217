//! What runs chaincode: the one seam between the launcher and a platform.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::image::ImageCommand;
use selvedge_buildpack::named_image::NamedImage;
use selvedge_buildpack::platform::Platform;
use selvedge_buildpack::shim::Shim;
use selvedge_config::Chaincode;
use selvedge_manifest::baseline::Lifted;
use selvedge_manifest::{LaunchPlan, LaunchTarget, ReplicaCredentials};
use selvedge_proto::launcher::ImageReference;
use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proxy::{Origin, ReplicaPlace};
use tokio::sync::mpsc;

use crate::bounds::Exceeded;
use crate::caller::Caller;
use crate::certificates::ProxyHost;
use crate::estate::Estate;
use crate::examination::Finding;
use crate::roll::Roll;
use crate::source::StagedSource;

/// Builds chaincode and runs replicas of it.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// Turns a source into an image, or finds the one that it was turned into
    /// before. Lines of the build go to `log` as they come.
    async fn build(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError>;

    /// Whether the image, which was built, can be run as it is.
    async fn holds(&self, image: &ImageReference) -> bool;

    /// Sees to it that an image that somebody else made is where it is started from.
    async fn bring(&self, _image: &NamedImage) -> Result<(), Unrunnable> {
        Ok(())
    }

    /// Looks for such an image, and whether it can be run.
    async fn find(&self, image: &NamedImage) -> Result<Sighting, Unrunnable> {
        self.bring(image).await.map(|()| Sighting::Seen(None))
    }

    /// Keeps the image, if it is there, for as long as what is returned lives.
    fn keep(&self, _image: &ImageReference) -> Kept {
        Kept::default()
    }

    /// The name of the peer that the launcher is beside, which overrides in the operator's file may name.
    fn peer(&self) -> &str;

    /// What chaincode and builds are not kept from that they could be elsewhere, a sentence each.
    fn unconfined(&self) -> &[String] {
        &[]
    }

    /// Looks at what it needs of its machine or cluster.
    async fn examine(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// Where a chaincode's proxy listens, and what its replicas call that.
    fn proxy_host(&self, package_id: &str, msp_id: &str, caller: &Caller) -> (IpAddr, ProxyHost);

    /// Starts replicas, and keeps them running until they are stopped.
    async fn start(&self, workload: Workload) -> Result<Box<dyn Replicas>, StartError>;

    /// Where runs leave what those that follow them go on with, if replicas outlive a run.
    fn estate(&self) -> Option<&Estate> {
        None
    }

    /// Lets go of what another launcher may wait for; every chaincode has been stopped.
    async fn close(&self) {}
}

/// That an image is needed.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// What the backend knows it by; dropped with it.
    pub(crate) _token: Option<Arc<()>>,
}

/// How a replica ended that was replaced.
pub(crate) const DISCONNECTED: &str =
    "it had lost its connection to the proxy and did not end, and was ended";

/// The running replicas of one chaincode. Dropping them ends them without grace.
#[async_trait]
pub(crate) trait Replicas: Send {
    /// Where they run, as who asks is told.
    fn place(&self) -> Place;

    /// Which of them there are, now and later.
    fn roll(&self) -> Roll;

    /// The next thing that happened; `None` when nothing more will.
    async fn next_event(&mut self) -> Option<ReplicaEvent>;

    /// Replaces those that were started before a time and still run: they have lost their
    /// connection to the proxy and do not end.
    fn replace_disconnected(&self, since: SystemTime);

    /// So many replicas are to be there from now on. Who is behind hears the last word alone.
    ///
    /// In service mode, where their number follows what there is to do: those that are too many are told
    /// of as leaving, and end when the proxy has let them go.
    ///
    /// In function mode: those included that start, and those without that were let go or lost. Said
    /// again whenever one has registered, was let go or is lost. More than are wanted stay until they
    /// are let go.
    fn want(&self, _processes: usize) {}

    /// Something has happened to a process that the proxy knows. What follows from it in function mode
    /// for how many are wanted is said next.
    fn met(&self, _place: ReplicaPlace, _meeting: Meeting) {}

    /// Whether one of them that hangs is replaced when that is told ([`Meeting::Hung`]), and no other.
    /// If that fails then, it is told ([`ReplicaEvent::Unreplaced`]).
    fn replaces_one(&self, _place: ReplicaPlace) -> bool {
        false
    }

    /// Ends them, and returns when nothing runs any more. What the next run can start from is kept.
    async fn stop(self: Box<Self>);

    /// Leaves them to the run that follows, if they can do without one, and ends them as
    /// [`Replicas::stop`] does otherwise, or when none has followed for a while.
    async fn leave(self: Box<Self>) {
        self.stop().await;
    }

    /// Ends them as [`Replicas::stop`] does, and keeps nothing: others have taken over.
    async fn discard(self: Box<Self>) {
        self.stop().await;
    }
}

/// What the proxy has to do with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// It has registered.
    Joined,
    /// It has had its calls, or nothing to do for a while: its stream was ended, and it is to end.
    Released,
    /// Its stream has ended otherwise. If it has not ended by itself in a moment it is to be ended.
    Lost,
    /// It answers nothing, and is to be ended.
    Hung,
}

/// What is to be run.
pub(crate) struct Workload {
    /// The package ID to register.
    pub(crate) package_id: String,
    /// The organisation's MSP ID.
    pub(crate) msp_id: String,
    /// Who has called for it.
    pub(crate) caller: Caller,
    /// What its package holds, which decides the start arguments, and where the image is from.
    pub(crate) content: PackageContent,
    /// How its shim and the proxy come together.
    pub(crate) shim: Shim,
    /// The image.
    pub(crate) image: ImageReference,
    /// Where the proxy listens; the backend decides what replicas dial to get there.
    pub(crate) proxy: SocketAddr,
    /// What replicas authenticate with.
    pub(crate) credentials: SetCredentials,
    /// How they run.
    pub(crate) settings: Arc<Chaincode>,
    /// How many are to be there from the beginning: none in function mode.
    pub(crate) replicas: usize,
    /// Which set of replicas this is, counted from run to run: one may run beside the one before it,
    /// and beside no other.
    pub(crate) set: u64,
    /// What there is of it, and what it is to be.
    pub(crate) beginning: Beginning,
}

/// What a set of replicas begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The first of its run; nothing is there of it.
    First,
    /// The first of its run, which goes on with what an earlier one has left.
    TakenUp,
    /// It is to take over from another one of its run.
    Next,
}

impl Beginning {
    /// Whether somebody waits for it, who has called for the chaincode.
    pub(crate) fn is_first(self) -> bool {
        self != Self::Next
    }
}

/// What a set of replicas authenticates with. All of it has one key.
pub(crate) struct SetCredentials {
    /// What any of them may show.
    pub(crate) shared: ReplicaCredentials,
    /// What one may show that is known by its seat: the number of its place here.
    pub(crate) seats: Vec<ReplicaCredentials>,
}

impl Workload {
    /// What a replica on this machine is given, whose files are below `root`.
    pub(crate) fn launch_plan(&self, root: &str, credentials: &ReplicaCredentials) -> LaunchPlan {
        let target = LaunchTarget {
            content: self.content,
            shim: self.shim,
            package_id: &self.package_id,
            msp_id: &self.msp_id,
            address: &self.proxy.to_string(),
            root,
        };
        LaunchPlan::new(&target, credentials)
    }
}

/// Something that happened to a replica.
#[derive(Debug)]
pub(crate) enum ReplicaEvent {
    /// It wrote a line.
    Wrote {
        /// Its name, by which the roll has it.
        replica: Arc<str>,
        line: String,
    },
    /// There is something to say of all of them.
    Line(String),
    /// One that listens is to be dialled there from now on.
    Listening(SocketAddr),
    /// No replica listens there any more.
    Silenced(SocketAddr),
    /// One that comes from there, or listens there, is to go: its transactions may finish.
    Leaving(Origin),
    /// What was to go there is gone.
    Left(Origin),
    /// Somebody else has said that so many are wanted, who may say so.
    Scaled(usize),
    /// This is lifted of the security of all of them.
    Lifted(Vec<Lifted>),
    /// It ended, and is started again.
    Exited(ReplicaExit),
    /// It cannot be started for a reason that passes by itself; `None` when that has passed.
    Delayed(Option<String>),
    /// It cannot run, and is not expected to soon; the reason.
    Trouble(String),
    /// It hangs, and could not be replaced alone, for this reason.
    Unreplaced(String),
    /// In function mode: none will be there for what waits now, for this reason, which was told
    /// already.
    Refused(String),
}

/// How a replica ended.
#[derive(Debug)]
pub(crate) struct ReplicaExit {
    /// The exit status or signal, in words.
    pub(crate) status: String,
    /// The last lines that it wrote, or the first one of its crash; oldest first.
    pub(crate) last_lines: Vec<String>,
}

impl std::fmt::Display for ReplicaExit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.status)?;
        if self.last_lines.is_empty() {
            write!(out, "; it wrote nothing")
        } else {
            write!(out, "; it wrote: {}", self.last_lines.join(" | "))
        }
    }
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The source is not what this language's build needs.
    #[error("the chaincode cannot be built")]
    Source(#[source] Box<dyn Error + Send + Sync>),
    /// The compiler's first errors.
    #[error("the chaincode does not compile: {}", .0.join(" | "))]
    Compile(Vec<String>),
    /// The language's tools cannot be run.
    #[error("cannot run {program}; install it, or add it to the launcher's PATH")]
    Toolchain { program: String, source: std::io::Error },
    /// It took too long.
    #[error("the build was ended: it took longer than {0} s (builds.timeout)")]
    TimedOut(f32),
    /// It took too much of the machine.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// The cluster or the registry did not do its part.
    #[error(transparent)]
    Cluster(Box<dyn Error + Send + Sync>),
    /// The image could not be put together or kept.
    #[error("cannot make the chaincode's image")]
    Image(#[source] Box<dyn Error + Send + Sync>),
}

/// What is known of an image that somebody else made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// It is there, for the platform that is wanted, and has a container run this, if that was asked.
    Seen(Option<ImageCommand>),
    /// Its registry could not be asked, for this reason. Nodes may have it all the same.
    Unknown(String),
}

/// Why an image that somebody else made cannot be run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unrunnable {
    /// No process of this machine can have a root of its own.
    #[error(
        "the image {image} needs a root of its own, which no process can have here: {reason}; allow \
         the launcher's user namespaces of its own (sysctl user.max_user_namespaces, \
         kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns; in a \
         container its seccomp profile; root needs CAP_SETFCAP for it), or run the chaincode on \
         Kubernetes"
    )]
    NoRoots { image: NamedImage, reason: String },
    /// It is not on this machine, and does not get here; or it is, and is none.
    #[error("the image {image} cannot be had: {reason}")]
    Unfetched { image: String, reason: String },
    /// The registry says that there is none.
    #[error("the registry {registry} has no image {image}, which is wanted for {wanted}{named}")]
    Missing { registry: String, image: String, wanted: Platform, named: NamedAs },
    /// It was made for other machines.
    #[error(
        "the image {image} in the registry {registry} is for {found}, and {wanted} is wanted{named}"
    )]
    Platform { registry: String, image: String, found: String, wanted: Platform, named: NamedAs },
}

/// What an image is called in its package, where that is not where it is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedAs(pub(crate) Option<String>);

impl std::fmt::Display for NamedAs {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(name) => write!(out, " (the package names {name}; registry.rewrites)"),
            None => Ok(()),
        }
    }
}

/// Why no replica was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The image cannot be used.
    #[error("cannot use the image {image}")]
    Image { image: String, source: Box<dyn Error + Send + Sync> },
    /// The replica's files cannot be written.
    #[error("cannot write the chaincode's files")]
    Files(#[source] std::io::Error),
    /// What the chaincode's language runs by is not there.
    #[error(
        "cannot find {program}, which runs this chaincode; install it, or add it to the launcher's PATH"
    )]
    Runtime { program: String },
    /// It cannot run as its settings say.
    #[error("it cannot run as its settings say")]
    Unfit(#[source] Box<dyn Error + Send + Sync>),
    /// The process cannot be started.
    #[error("cannot start {program}")]
    Process { program: String, source: std::io::Error },
}

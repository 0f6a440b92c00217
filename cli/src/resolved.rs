//! What a command line resolves to: every default filled in.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::CommandFactory;
use clap::error::ErrorKind;
use clap_complete::Shell;
use selvedge_buildpack::package::{Dependencies, Existing, Label};
use selvedge_client::{Address, LauncherError};
use selvedge_config::{BackendKind, Subject};

use crate::image::Place;
use crate::operators_file::Source;
use crate::typed::{
    self, Backend, Builds, Command, ConfigCommand, Doctor, Inspect, Logs, Package, Status, Typed,
};

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Request {
    Package(PackageRequest),
    Inspect(InspectRequest),
    InspectImage(ImageRequest),
    Config(ConfigRequest),
    Render(RenderRequest),
    Status(StatusRequest),
    Logs(LogsRequest),
    Builds(BuildsRequest),
    Doctor(DoctorRequest),
    Completions(Shell),
}

/// A package to write.
#[derive(Debug)]
pub(crate) struct PackageRequest {
    pub(crate) directory: PathBuf,
    pub(crate) label: Label,
    pub(crate) output: PathBuf,
    pub(crate) existing: Existing,
    pub(crate) dependencies: Dependencies,
    pub(crate) check: Check,
    pub(crate) form: Form,
}

/// A package to look into.
#[derive(Debug)]
pub(crate) struct InspectRequest {
    pub(crate) file: PathBuf,
    pub(crate) compile: bool,
    pub(crate) form: Form,
}

/// An image to tell of.
#[derive(Debug)]
pub(crate) struct ImageRequest {
    pub(crate) place: Place,
    pub(crate) plain_http: bool,
    /// A package that it may be of.
    pub(crate) package: Option<PathBuf>,
    pub(crate) form: ImageForm,
}

/// How what is told of an image is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageForm {
    Text,
    Json,
    /// What it is made of, and nothing else.
    Sbom,
}

/// Something about the operator's file.
#[derive(Debug)]
pub(crate) enum ConfigRequest {
    Check(CheckRequest),
    Show(ShowRequest),
    Schema,
    Default(BackendKind),
    Reference,
}

/// A file to check.
#[derive(Debug)]
pub(crate) struct CheckRequest {
    pub(crate) file: Source,
    /// Labels of the chaincode that there is; none if that is not looked at.
    pub(crate) labels: Vec<String>,
    pub(crate) form: Form,
}

/// What applies to a chaincode.
#[derive(Debug)]
pub(crate) struct ShowRequest {
    /// None if there is no file.
    pub(crate) file: Option<Source>,
    pub(crate) subject: Subject,
    pub(crate) form: Form,
}

/// A package whose objects are to be told; what is none has a placeholder.
#[derive(Debug)]
pub(crate) struct RenderRequest {
    pub(crate) package: PathBuf,
    /// None if there is no file.
    pub(crate) file: Option<Source>,
    pub(crate) msp: String,
    pub(crate) peer: String,
    pub(crate) peer_pod: Option<Source>,
    pub(crate) namespace: Option<String>,
    pub(crate) node: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) launcher_image: Option<String>,
    pub(crate) service_address: Option<IpAddr>,
    pub(crate) proxy: Option<SocketAddr>,
    pub(crate) form: Form,
}

/// What is around a peer and its launcher, to be looked at.
#[derive(Debug)]
pub(crate) struct DoctorRequest {
    /// The peer's `core.yaml`, if it was named.
    pub(crate) peer_config: Option<PathBuf>,
    /// Where the launcher listens, unless what names that names nothing.
    pub(crate) launcher: Result<Address, LauncherError>,
    pub(crate) form: Form,
}

/// A launcher to ask how it is.
#[derive(Debug)]
pub(crate) struct StatusRequest {
    /// Where it listens, unless what names that names nothing.
    pub(crate) launcher: Result<Address, LauncherError>,
    pub(crate) watch: bool,
    pub(crate) form: Form,
}

/// Lines of a chaincode to be printed.
#[derive(Debug)]
pub(crate) struct LogsRequest {
    pub(crate) launcher: Result<Address, LauncherError>,
    pub(crate) chaincode: String,
    pub(crate) follow: bool,
    /// All that are kept, if it is not said how many.
    pub(crate) tail: Option<u32>,
    /// All, if none is named.
    pub(crate) replica: Option<String>,
    /// Whichever has it, if none is named.
    pub(crate) peer: Option<String>,
    pub(crate) form: LineForm,
}

/// How a line is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineForm {
    /// With its time and its replica.
    Told,
    /// Alone.
    Bare,
    Json,
}

/// Builds to tell of: all, or one with its lines.
#[derive(Debug)]
pub(crate) struct BuildsRequest {
    pub(crate) launcher: Result<Address, LauncherError>,
    pub(crate) id: Option<u64>,
    pub(crate) follow: bool,
    pub(crate) form: Form,
}

/// What is tried before a package is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Compile,
    Nothing,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
}

/// Fills in the defaults.
pub(crate) fn resolve(typed: Typed) -> Request {
    match typed.command {
        Command::Package(package) => Request::Package(package.resolve()),
        Command::Inspect(inspect) => inspect.resolve(),
        Command::Config(config) => Request::Config(config.command.resolve()),
        Command::Render(render) => Request::Render(render.resolve()),
        Command::Status(Status { at, watch, json }) => {
            Request::Status(StatusRequest { launcher: at.resolve(), watch, form: form(json) })
        }
        Command::Logs(Logs { chaincode, follow, tail, replica, peer, bare, json, at }) => {
            let form = match (bare, json) {
                (_, true) => LineForm::Json,
                (true, false) => LineForm::Bare,
                (false, false) => LineForm::Told,
            };
            let launcher = at.resolve();
            Request::Logs(LogsRequest { launcher, chaincode, follow, tail, replica, peer, form })
        }
        Command::Builds(Builds { id, follow, json, at }) => {
            let launcher = at.resolve();
            Request::Builds(BuildsRequest { launcher, id, follow, form: form(json) })
        }
        Command::Doctor(Doctor { peer_config, at, json }) => {
            let launcher = at.resolve();
            Request::Doctor(DoctorRequest { peer_config, launcher, form: form(json) })
        }
        Command::Completions(completions) => Request::Completions(completions.shell),
    }
}

impl Package {
    fn resolve(self) -> PackageRequest {
        let default = || PathBuf::from(format!("{}.tar.gz", self.label));
        PackageRequest {
            output: self.output.unwrap_or_else(default),
            directory: self.directory,
            existing: if self.force { Existing::Replace } else { Existing::Keep },
            dependencies: if self.vendor { Dependencies::Packed } else { Dependencies::Installed },
            check: if self.no_compile { Check::Nothing } else { Check::Compile },
            form: form(self.json),
            label: self.label,
        }
    }
}

impl Inspect {
    fn resolve(self) -> Request {
        let Self { subject, compile, package, sbom, plain_http, json } = self;
        let asks_of_image = package.is_some() || sbom || plain_http;
        match Place::of(&subject) {
            Some(place) if !compile => {
                let form = match (sbom, json) {
                    (true, _) => ImageForm::Sbom,
                    (false, true) => ImageForm::Json,
                    (false, false) => ImageForm::Text,
                };
                Request::InspectImage(ImageRequest { place, plain_http, package, form })
            }
            Some(_) => usage("--compile is for packages, and an image was named"),
            None if asks_of_image => usage(
                "--package, --sbom and --plain-http are for images: HOST/NAME, a directory, or \
                 oci:DIR@DIGEST",
            ),
            None => Request::Inspect(InspectRequest { file: subject, compile, form: form(json) }),
        }
    }
}

/// Ends as clap does where what was typed does not fit together.
fn usage(message: &str) -> ! {
    Typed::command().error(ErrorKind::ArgumentConflict, message).exit()
}

impl ConfigCommand {
    fn resolve(self) -> ConfigRequest {
        match self {
            Self::Check(typed::Check { file, label, json }) => ConfigRequest::Check(CheckRequest {
                file: Source::named(file),
                labels: label.iter().map(ToString::to_string).collect(),
                form: form(json),
            }),
            Self::Show(typed::Show { label, msp, peer, file, config, json }) => {
                ConfigRequest::Show(ShowRequest {
                    file: operators_file(file.or(config.config)),
                    subject: Subject { label: label.to_string(), msp, peer },
                    form: form(json),
                })
            }
            Self::Schema => ConfigRequest::Schema,
            Self::Default(typed) => ConfigRequest::Default(match typed.backend {
                Backend::Local => BackendKind::Local,
                Backend::Kubernetes => BackendKind::Kubernetes,
            }),
            Self::Reference => ConfigRequest::Reference,
        }
    }
}

impl typed::Render {
    fn resolve(self) -> RenderRequest {
        RenderRequest {
            package: self.package,
            file: operators_file(self.config.config),
            msp: self.msp,
            peer: self.peer,
            peer_pod: self.peer_pod.map(Source::named),
            namespace: self.namespace,
            node: self.node,
            image: self.image,
            launcher_image: self.launcher_image,
            service_address: self.service_address,
            proxy: self.proxy,
            form: form(self.json),
        }
    }
}

/// The operator's file that a launcher would read here, if there is one: an empty variable is as
/// good as none, as it is to the launcher.
fn operators_file(typed: Option<PathBuf>) -> Option<Source> {
    let variable = std::env::var_os("SELVEDGE_CONFIG").filter(|path| !path.is_empty());
    let named = typed.or_else(|| variable.map(PathBuf::from)).map(Source::named);
    named.or_else(Source::usual)
}

fn form(json: bool) -> Form {
    if json { Form::Json } else { Form::Text }
}

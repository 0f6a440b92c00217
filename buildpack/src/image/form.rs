//! What an image has over its base, and how it is started: known before it is built.

use super::command::ImageCommand;
use crate::archive::Packing;

/// The chaincode's program: where Fabric's own Go image has it (`Dockerfile` of
/// `core/chaincode/platforms/golang/platform.go`), so that start commands can stay as they are.
pub const CHAINCODE_PROGRAM: &str = "/usr/local/bin/chaincode";

/// The form of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The layers over the base, from the lowest up.
    pub(crate) layers: Vec<LayerForm>,
    /// How it is started.
    pub(crate) start: Start,
}

/// What one layer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerForm {
    /// A program, and nothing else.
    Program,
    /// What lies below one directory, and nothing else.
    Below {
        /// What it is, for people.
        what: &'static str,
        /// The directory, without a slash in front.
        directory: &'static str,
        /// Whether its files can be made smaller.
        packing: Packing,
    },
}

/// How a chaincode is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// The program and its first arguments, after which the launcher's follow. A program that is a
    /// name without a path is the runtime's, and found in its `PATH`.
    pub(crate) entrypoint: Vec<String>,
    /// The working directory.
    pub(crate) directory: &'static str,
    /// The image's environment.
    pub(crate) environment: Vec<String>,
}

impl Form {
    /// A program, which is found where Fabric's own Go image has it.
    pub fn program() -> Self {
        Self {
            layers: vec![LayerForm::Program],
            start: Start {
                entrypoint: vec![CHAINCODE_PROGRAM.to_owned()],
                directory: "/",
                environment: vec!["PATH=/usr/local/bin".to_owned()],
            },
        }
    }

    /// What such an image has a container run.
    pub fn command(&self) -> ImageCommand {
        ImageCommand { entrypoint: self.start.entrypoint.clone(), cmd: Vec::new() }
    }
}

impl LayerForm {
    /// What it is, for people.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Program => "chaincode",
            Self::Below { what, .. } => what,
        }
    }
}

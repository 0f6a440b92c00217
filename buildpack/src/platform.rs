//! What a chaincode is compiled for.

use std::fmt;
use std::str::FromStr;

/// An operating system and architecture, by the names that Go and OCI share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// linux/amd64
    LinuxAmd64,
    /// linux/arm64
    LinuxArm64,
}

/// A platform that chaincode is not built for.
#[derive(Debug, thiserror::Error)]
#[error("platform `{0}` is not supported: linux/amd64 and linux/arm64 are")]
pub struct UnsupportedPlatform(String);

impl Platform {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::LinuxAmd64, Self::LinuxArm64];

    /// The platform of this machine, which local chaincode runs on.
    pub fn host() -> Result<Self, UnsupportedPlatform> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::LinuxAmd64),
            "aarch64" => Ok(Self::LinuxArm64),
            other => Err(UnsupportedPlatform(format!("linux/{other}"))),
        }
    }

    /// `GOOS`, and the `os` of an image.
    pub fn os(self) -> &'static str {
        "linux"
    }

    /// `GOARCH`, and the `architecture` of an image.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::LinuxAmd64 => "amd64",
            Self::LinuxArm64 => "arm64",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os(), self.architecture())
    }
}

impl FromStr for Platform {
    type Err = UnsupportedPlatform;

    fn from_str(text: &str) -> Result<Self, UnsupportedPlatform> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.to_string() == text)
            .ok_or_else(|| UnsupportedPlatform(text.to_owned()))
    }
}

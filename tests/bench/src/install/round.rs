//! One round: a network, a launcher that knows nothing, and each chaincode three times.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::package;
use tempfile::TempDir;
use testbed::{
    Binaries, ExternalBuilder, Launcher, LauncherSpec, Network, NetworkSpec, Peer, PeerSpec,
    Release, dist_dir,
};

use super::by_hand;
use super::sample::Sample;

const MSP_ID: &str = "Org1MSP";

/// What a round came to.
pub(super) struct Round {
    pub(super) times: Vec<(Sample, Times)>,
}

/// How long each took.
pub(super) struct Times {
    pub(super) by_hand_cold: Duration,
    pub(super) by_hand_cached: Duration,
    pub(super) cold: Duration,
    pub(super) cached: Duration,
    pub(super) known: Duration,
}

/// What a round needs; ends when dropped.
struct Place {
    network: Network,
    _launcher: Launcher,
    files: TempDir,
}

pub(super) fn measure(samples: &[Sample]) -> Result<Round> {
    let place = Place::raise()?;
    let mut times = Vec::new();
    for &sample in samples {
        eprintln!("  {sample}");
        times.push((sample, place.times(sample)?));
    }
    Ok(Round { times })
}

impl Place {
    fn raise() -> Result<Self> {
        let mut launcher = LauncherSpec::new(dist_dir().join("bin/selvedge-launcher"));
        // Its tools find no caches of this machine's user, and get directories of its own.
        for variable in ["HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "XDG_CACHE_HOME"] {
            launcher.environment.insert(variable.to_owned(), String::new().into());
        }
        let launcher = Launcher::start(&launcher)?;
        let mut peer = PeerSpec::new(MSP_ID, ExternalBuilder::selvedge(&dist_dir()));
        peer.environment.insert("SELVEDGE_LAUNCHER".to_owned(), launcher.address().into());
        let binaries = Binaries::obtain(Release::V3_1_1, &mut |line| eprintln!("{line}"))?;
        let network = Network::start(&binaries, &NetworkSpec::new(vec![peer]))?;
        let files = TempDir::new().context("no temporary directory")?;
        Ok(Self { network, _launcher: launcher, files })
    }

    fn times(&self, sample: Sample) -> Result<Times> {
        let path = |name: &str| self.files.path().join(format!("{sample}-{name}"));
        let (hand, home, source) = (path("hand"), path("home"), path("source"));
        sample.copy(&hand)?;
        sample.copy(&source)?;
        std::fs::create_dir(&home)?;
        let by_hand_cold = by_hand::build(sample, &hand, &home)?;
        let cold = self.install(&source, &format!("{sample}_1.0"))?;
        let known = self.install(&source, &format!("{sample}_1.1"))?;
        // Afresh, as the launcher has it: what was built before is not there.
        let again = path("again");
        sample.copy(&again)?;
        sample.change(&again)?;
        let by_hand_cached = by_hand::build(sample, &again, &home)?;
        sample.change(&source)?;
        let cached = self.install(&source, &format!("{sample}_2.0"))?;
        Ok(Times { by_hand_cold, by_hand_cached, cold, cached, known })
    }

    fn install(&self, source: &Path, label: &str) -> Result<Duration> {
        let file: PathBuf = self.files.path().join(format!("{label}.tar.gz"));
        package(source, label, &file);
        let began = Instant::now();
        self.peer().install(&file)?;
        Ok(began.elapsed())
    }

    fn peer(&self) -> &Peer {
        self.network.peer(MSP_ID)
    }
}

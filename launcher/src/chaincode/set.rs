//! A set of replicas: those that run by the same settings, and are known by one certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use selvedge_config::Chaincode;
use selvedge_manifest::baseline::Lifted;
use selvedge_proto::launcher::{ImageReference, Reason};
use selvedge_proxy::Credential;

use super::error::RunError;
use super::order::ChaincodeRun;
use crate::backend::{Replicas, Workload};
use crate::certificates::RunAuthority;
use crate::opening::Works;

/// As good as for ever, for a clock that cannot count for ever.
pub(super) const AGES: Duration = Duration::from_hours(24 * 365);

/// What all sets of a run have in common.
pub(super) struct Plan {
    pub(super) run: ChaincodeRun,
    pub(super) image: ImageReference,
    pub(super) authority: RunAuthority,
    pub(super) works: Arc<Works>,
    /// Where the proxy listens.
    pub(super) proxy: SocketAddr,
}

/// A set that was started.
pub(super) struct Set {
    pub(super) replicas: Box<dyn Replicas>,
    /// What the proxy knows them by.
    pub(super) credential: Credential,
    pub(super) settings: Arc<Chaincode>,
    /// Counted from 0 in a run.
    pub(super) number: u64,
    /// Why none can be started just now.
    pub(super) delayed: Option<Reason>,
    /// Why one that listens is not reached.
    pub(super) unreached: Option<Reason>,
    /// What is lifted of their security.
    pub(super) lifted: Vec<Lifted>,
}

impl Plan {
    /// Starts a set.
    pub(super) async fn start(
        &self,
        settings: Arc<Chaincode>,
        number: u64,
    ) -> Result<Set, RunError> {
        let (credentials, credential) = self.authority.replica(self.run.shim)?;
        let workload = Workload {
            package_id: self.run.package_id.clone(),
            msp_id: self.run.msp_id.clone(),
            content: self.run.content,
            shim: self.run.shim,
            image: self.image.clone(),
            proxy: self.proxy,
            credentials,
            settings: Arc::clone(&settings),
            set: number,
        };
        let replicas = self.works.backend.start(workload).await?;
        Ok(Set {
            replicas,
            credential,
            settings,
            number,
            delayed: None,
            unreached: None,
            lifted: Vec::new(),
        })
    }
}

impl Set {
    /// What transactions in flight get when a replica has to go.
    pub(super) fn drain(&self) -> Duration {
        self.settings.timeouts.drain.duration().min(AGES)
    }

    /// What keeps its replicas away.
    pub(super) fn hindrance(&self) -> Option<&Reason> {
        self.delayed.as_ref().or(self.unreached.as_ref())
    }
}

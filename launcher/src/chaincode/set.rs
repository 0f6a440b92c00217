//! A set of replicas: those that run by the same settings, and are known by one key.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use selvedge_config::{Chaincode, Execution};
use selvedge_manifest::ReplicaCredentials;
use selvedge_manifest::baseline::Lifted;
use selvedge_proto::launcher::{ImageReference, Reason};
use selvedge_proxy::{Credential, OnDemand};

use super::error::RunError;
use super::order::ChaincodeRun;
use super::outset::SetOutset;
use super::scaling::Scaling;
use crate::backend::{Beginning, Replicas, SetCredentials, Workload};
use crate::certificates::{Certified, RunAuthority};
use crate::deadline::AGES;
use crate::estate::{Bequest, described};
use crate::image_reference::command_of;
use crate::opening::Works;

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
    /// What they authenticate with.
    certified: Certified,
    pub(super) settings: Arc<Chaincode>,
    /// Counted from run to run, where one goes on with what another has left.
    pub(super) number: u64,
    pub(super) beginning: Beginning,
    /// How many replicas are wanted.
    pub(super) wanted: usize,
    /// How that follows what there is to do, if it does.
    pub(super) scaling: Option<Scaling>,
    /// Why none can be started just now.
    pub(super) delayed: Option<Reason>,
    /// Why one that listens is not reached.
    pub(super) unreached: Option<Reason>,
    /// What is lifted of their security.
    pub(super) lifted: Vec<Lifted>,
}

impl Plan {
    /// Starts a set that is to take over from the one before, which had so many replicas.
    pub(super) async fn start(
        &self,
        settings: Arc<Chaincode>,
        number: u64,
        before: usize,
    ) -> Result<Set, RunError> {
        let (credentials, credential) = self.authority.replica(self.run.shim)?;
        let beginning = Beginning::Next;
        let outset = SetOutset { beginning, number, credentials, credential, before };
        self.begin(settings, outset).await
    }

    /// Starts a set. Where the number of replicas follows what there is to do, there are as many as
    /// before it if that may be.
    pub(super) async fn begin(
        &self,
        settings: Arc<Chaincode>,
        set: SetOutset,
    ) -> Result<Set, RunError> {
        let SetOutset { beginning, number, credentials, credential, before } = set;
        let ReplicaCredentials { certificate, key, .. } = credentials.clone();
        let seats = self.authority.seats(self.run.shim, &credentials, seats(&settings))?;
        let wanted = begins_with(&settings, before);
        let scaling = Scaling::of(&settings, wanted);
        let credentials = SetCredentials { shared: credentials, seats };
        let workload = Workload {
            package_id: self.run.package_id.clone(),
            msp_id: self.run.msp_id.clone(),
            caller: self.run.caller.clone(),
            content: self.run.content,
            shim: self.run.shim,
            image: self.image.clone(),
            proxy: self.proxy,
            credentials,
            settings: Arc::clone(&settings),
            replicas: wanted,
            set: number,
            beginning,
        };
        let replicas = self.works.backend.start(workload).await?;
        Ok(Set {
            replicas,
            credential,
            certified: Certified { certificate, key },
            settings,
            number,
            beginning,
            wanted,
            scaling,
            delayed: None,
            unreached: None,
            lifted: Vec::new(),
        })
    }

    /// Leaves the set to a run that may follow. Where no keeper starts chaincode again, pods that are
    /// made anew are there sooner than those that a kubelet lets wait.
    pub(super) fn bequeath(&self, set: &Set) {
        let estate = self.works.backend.estate();
        let Some(estate) = estate.filter(|_| command_of(&self.image).is_some()) else { return };
        estate.keep(&Bequest {
            heir: self.run.heir(),
            authority: self.authority.kept(),
            made: self.authority.made(),
            replicas: set.certified.clone(),
            shim: described(self.run.shim),
            number: set.wanted,
            set: set.number,
            image: self.image.digest.clone(),
            port: self.proxy.port(),
        });
    }

    /// Leaves nothing to a run that may follow: nothing runs any more.
    pub(super) fn bequeath_nothing(&self) {
        if let Some(estate) = self.works.backend.estate() {
            estate.forget(&self.run.heir());
        }
    }
}

/// How many processes may be told from one another: of a function, one begins while another one that has
/// had its calls is about to end.
fn seats(settings: &Chaincode) -> u32 {
    match settings.execution() {
        Execution::Service { most, .. } => most.into(),
        Execution::Function(function) => 2 * u32::from(function.max_replicas.get()),
    }
}

/// How many replicas a set begins with: as many as there were before, if that may be.
fn begins_with(settings: &Chaincode, before: usize) -> usize {
    match settings.execution() {
        Execution::Service { replicas, most } => before.clamp(replicas.into(), most.into()),
        Execution::Function(_) => 0,
    }
}

impl Set {
    /// What transactions in flight get when a replica has to go.
    pub(super) fn drain(&self) -> Duration {
        self.settings.timeouts.drain.duration().min(AGES)
    }

    /// How its replicas come and go, if they do.
    pub(super) fn on_demand(&self) -> Option<OnDemand> {
        let function = self.settings.function()?;
        Some(OnDemand {
            credential: self.credential,
            concurrency: function.concurrency.into(),
            calls: function.calls_per_process,
            idle: function.idle.duration(),
            ahead: function.ahead.into(),
            most: function.max_replicas.into(),
            wait: function.wait.duration(),
        })
    }

    /// What keeps its replicas away.
    pub(super) fn hindrance(&self) -> Option<&Reason> {
        self.delayed.as_ref().or(self.unreached.as_ref())
    }
}

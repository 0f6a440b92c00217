//! What is to be run, for whom, and how the operator's file has it run.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::shim::{self, Shim};
use selvedge_config::{Chaincode, Faults, Operator, Subject};
use selvedge_manifest::label;
use selvedge_proxy::{Limits, PeerAddress, PeerCredentials, Proxy, ProxySettings, Security};

use super::error::RunError;
use crate::backend::Backend;
use crate::caller::Caller;
use crate::certificates::RunAuthority;
use crate::deadline::LaunchDeadline;
use crate::estate::{Bequest, Heir};
use crate::standing::Standing;

/// What is to be run, and for whom.
pub(crate) struct ChaincodeRun {
    /// The package ID.
    pub(crate) package_id: String,
    /// The organisation's MSP ID.
    pub(crate) msp_id: String,
    /// Who has called for it.
    pub(crate) caller: Caller,
    /// Where the peer listens for chaincode.
    pub(crate) peer: PeerAddress,
    /// What the peer gave to register with; `None` without TLS.
    pub(crate) credentials: Option<PeerCredentials>,
    /// What its package holds.
    pub(crate) content: PackageContent,
    /// How its shim and the proxy come together.
    pub(crate) shim: Shim,
    /// Until when the chaincode must have registered.
    pub(crate) deadline: LaunchDeadline,
    /// Where who asks is told how it stands.
    pub(crate) standing: Standing,
    /// What an earlier run of it has left.
    pub(crate) left: Option<Bequest>,
}

impl ChaincodeRun {
    /// How this chaincode runs by the operator's file.
    pub(crate) fn settings(
        &self,
        operator: &Operator,
        backend: &dyn Backend,
    ) -> Result<Arc<Chaincode>, Faults> {
        operator.chaincode(&self.subject(backend)).map(Arc::new)
    }

    /// Whom overrides may be for.
    fn subject(&self, backend: &dyn Backend) -> Subject {
        Subject {
            label: label(&self.package_id).to_owned(),
            msp: self.msp_id.clone(),
            peer: self.caller.name().unwrap_or_else(|| backend.peer()).to_owned(),
        }
    }

    /// How its replicas are dialled, if they listen.
    pub(super) fn security(&self) -> Option<Security> {
        self.shim.server().map(|server| match server.security {
            shim::Security::Tls => Security::Tls,
            shim::Security::Plain => Security::Plain,
        })
    }

    /// By what is known what its runs leave.
    pub(crate) fn heir(&self) -> Heir {
        Heir {
            package_id: self.package_id.clone(),
            msp_id: self.msp_id.clone(),
            peer: self.caller.peer().to_owned(),
        }
    }

    /// The same run with another limit for its launch.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { deadline: self.deadline.within(limit), ..self }
    }

    /// Starts the proxy, which listens for replicas from then on, at the port if that is free.
    pub(super) fn proxy(
        &self,
        authority: &RunAuthority,
        port: u16,
        backend: &dyn Backend,
    ) -> Result<Proxy, RunError> {
        let (address, host) = backend.proxy_host(&self.package_id, &self.msp_id, &self.caller);
        let bind = |port| TcpListener::bind(SocketAddr::new(address, port));
        let listener = bind(port).or_else(|_| bind(0)).map_err(RunError::Listen)?;
        Ok(Proxy::start(ProxySettings {
            package_id: self.package_id.clone(),
            peer: self.peer.clone(),
            credentials: self.credentials.clone(),
            listener,
            authority: authority.proxy(&host)?,
            limits: Limits::default(),
            registration: self.deadline.registration(),
        })?)
    }
}

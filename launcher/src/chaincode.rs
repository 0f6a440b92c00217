//! One run of one chaincode: proxy and replicas, from the launch to the end.

mod cause;
mod error;
mod link;
mod next;
mod order;
mod outset;
mod scaling;
mod set;
mod succession;
mod tally;

use std::sync::Arc;

use selvedge_config::Chaincode;
use selvedge_proto::launcher::ImageReference;

use self::error::{Preparation, RunError};
use self::link::{Link, end_proxy};
pub(crate) use self::order::ChaincodeRun;
use self::outset::Outset;
use self::set::Plan;
use self::succession::{Parting, Succession};
use crate::backend::Backend;
use crate::certificates::RunAuthority;
use crate::configuration::Configuration;
use crate::error_chain::one_line;
use crate::opening::Works;
use crate::run_log::RunLog;
use crate::stop::Stop;

impl ChaincodeRun {
    /// Runs the chaincode by these settings, and by those that follow, until its link to the peer
    /// ends or `stop` says so; why it ended. Nothing of it is left when this returns, unless another
    /// run may follow and its replicas can wait for that.
    pub(crate) async fn run(
        mut self,
        image: ImageReference,
        settings: Arc<Chaincode>,
        configuration: Configuration,
        works: Arc<Works>,
        stop: &Stop,
        log: &RunLog,
    ) -> Result<String, RunError> {
        let preparation = Preparation(self.deadline.passed());
        let Outset { authority, port, first } = Outset::of(&mut self)?;
        let mut proxy = self.proxy(&authority, port, works.backend.as_ref())?;
        proxy.set_replay(settings.replay).await;
        let standing = self.standing.clone();
        standing.has(proxy.figures());
        let plan = Plan { proxy: proxy.address(), run: self, image, authority, works };
        let first = match plan.begin(settings, first).await {
            Ok(first) => first,
            Err(error) => {
                standing.ends(&one_line(&error));
                end_proxy(&mut proxy, Some(one_line(&error))).await;
                return Err(error);
            }
        };
        plan.bequeath(&first);
        let deadline = plan.run.deadline;
        let succession = Succession::begin(plan, first, configuration, &proxy).await;
        let mut link = Link::new(proxy, succession, log, deadline.limit());
        let outcome = link.supervise(stop, deadline, preparation).await;
        match &outcome {
            Ok(reason) => standing.ends(reason),
            Err(error) => standing.ends(&one_line(error)),
        }
        // The peer tells its client of a failed launch no more than that it failed.
        let refusal =
            outcome.as_ref().err().filter(|_| !link.is_ready()).map(|error| one_line(error));
        link.end(refusal, parting(&outcome, stop)).await;
        outcome
    }

    /// Tells those who called for the chaincode why it cannot be run.
    pub(crate) async fn refuse(
        &self,
        reason: String,
        backend: &dyn Backend,
    ) -> Result<(), RunError> {
        let authority = RunAuthority::new(&self.package_id)?;
        let mut proxy = self.proxy(&authority, 0, backend)?;
        end_proxy(&mut proxy, Some(reason)).await;
        Ok(())
    }
}

/// What becomes of the replicas of a run that has ended so. A peer that is gone, or has lost its stream,
/// may call for the chaincode again, and a launcher that ends may be followed by another.
fn parting(outcome: &Result<String, RunError>, stop: &Stop) -> Parting {
    match outcome {
        Ok(_) | Err(RunError::Peer(_)) if !stop.is_unwanted() => Parting::Stay,
        _ => Parting::End,
    }
}

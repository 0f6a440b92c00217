//! Another launcher's Job for the same source: followed for as long as that launcher lives.

use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use tokio::sync::mpsc;
use tracing::info;

use super::follow::FollowError;
use super::job::BuildJobHandle;
use super::pulse::silence;
use super::verdict::JobFailure;

impl BuildJobHandle<'_> {
    /// Sees a Job to its end that was there before; what came of it is in the registry, or the
    /// Job is out of the way. Only what the source itself is to blame for is an error: another
    /// launcher's trouble need not be this one's.
    pub(super) async fn see_out(self, log: &mpsc::Sender<String>) -> Result<(), FollowError> {
        let name = self.name();
        // One that this launcher began and does not know any more has nobody to hand its image to.
        let is_own = self.begun_by() == Some(self.ground.pod.uid.as_str());
        if self.is_open() && !is_own {
            info!(job = name, "another launcher builds this source");
            let line = format!("another peer builds this already: waiting for its Job {name}");
            let _ = log.send(line).await;
            let jobs: Api<Job> = self.ground.api();
            let uid = self.uid();
            let reason = tokio::select! {
                outcome = self.follow(log) => match outcome {
                    Ok(_) => return Ok(()),
                    Err(FollowError::Job(failure)) if !matches!(failure, JobFailure::Compile(_)) => {
                        format!("that build brought no image ({failure})")
                    }
                    Err(error) => return Err(error),
                },
                () = silence(&jobs, &name, &uid) => {
                    info!(job = name, "the launcher that began this build is gone");
                    "the launcher of that build is gone".to_owned()
                }
            };
            let _ = log.send(format!("{reason}: building here")).await;
        }
        Ok(self.delete().await?)
    }
}

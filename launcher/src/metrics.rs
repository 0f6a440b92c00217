//! `/metrics`: what there is of each chaincode and of builds, as Prometheus asks for it (the text of
//! `OpenMetrics`). What it tells is enough for whoever scales a chaincode by what there is to do.
//!
//! Labels have as many values as a peer has launched chaincodes, and no value that a chaincode writes.

mod chaincode;
mod durations;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use selvedge_proto::launcher::chaincode_status::Place;
use selvedge_proto::launcher::{ChaincodeStatus, LauncherStatus, RunState, Traffic};

use self::chaincode::Chaincode;
use self::durations::Durations;
use crate::build_records::Counts;

/// The media type of what is told.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type GaugeOf<L> = Family<L, Gauge>;
type CounterOf<L, N = u64, A = AtomicU64> = Family<L, Counter<N, A>>;

/// Which builds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Builds {
    outcome: &'static str,
}

/// What is told of a launcher, its chaincodes and its builds.
pub(crate) fn told(
    launcher: &LauncherStatus,
    chaincodes: &[ChaincodeStatus],
    builds: &Counts,
) -> String {
    let mut registry = Registry::with_prefix("selvedge");
    tell_launcher(launcher, &mut registry);
    tell_builds(builds, registry.sub_registry_with_prefix("build"));
    tell_chaincodes(chaincodes, registry.sub_registry_with_prefix("chaincode"));
    let mut told = String::new();
    // A text takes whatever is written to it.
    let _ = text::encode(&mut told, &registry);
    told
}

fn tell_launcher(launcher: &LauncherStatus, registry: &mut Registry) {
    let labels = [("version", launcher.version.clone()), ("backend", launcher.backend.clone())];
    registry.register("launcher", "The launcher", Info::new(labels.to_vec()));
    let open = Gauge::<i64>::default();
    open.set(i64::from(launcher.closed.is_empty()));
    registry.register("launcher_open", "Whether the launcher lets builders in", open);
    let refused = Gauge::<i64>::default();
    refused.set(i64::from(!launcher.file_refused.is_empty()));
    let help = "Whether what the operator's file says now is refused";
    registry.register("launcher_file_refused", help, refused);
}

fn tell_builds(builds: &Counts, registry: &mut Registry) {
    let underway = Gauge::<i64>::default();
    underway.set(i64::try_from(builds.underway).unwrap_or(i64::MAX));
    registry.register("underway", "Builds that go on, or wait for others", underway);
    let (number, time) = (CounterOf::<Builds>::default(), CounterOf::<Builds, f64>::default());
    for (outcome, count) in
        [("done", builds.done), ("failed", builds.failed), ("abandoned", builds.abandoned)]
    {
        let of = &Builds { outcome };
        number.get_or_create(of).inc_by(count.number);
        time.get_or_create(of).inc_by(count.time.as_secs_f64());
    }
    registry.register("ended", "Builds that have ended", number);
    let help = "What builds took that have ended, from the call on";
    registry.register_with_unit("time", help, Unit::Seconds, time);
}

/// The metrics of chaincodes.
#[derive(Default)]
struct Metrics {
    in_flight: GaugeOf<Chaincode>,
    wanted: GaugeOf<Chaincode>,
    registered: GaugeOf<Chaincode>,
    ready: GaugeOf<Chaincode>,
    begun: CounterOf<Chaincode>,
    failed: CounterOf<Chaincode>,
    run_again: CounterOf<Chaincode>,
    answered: CounterOf<Chaincode>,
    differed: CounterOf<Chaincode>,
    started: CounterOf<Chaincode>,
    ended: CounterOf<Chaincode>,
    received: CounterOf<Chaincode>,
    sent: CounterOf<Chaincode>,
    durations: Durations,
}

fn tell_chaincodes(chaincodes: &[ChaincodeStatus], registry: &mut Registry) {
    let mut metrics = Metrics::default();
    for status in chaincodes {
        metrics.take(status);
    }
    metrics.register(registry);
}

impl Metrics {
    /// Adds a run to what there is of its chaincode: one that ends, and the one that follows it, are
    /// told of together.
    fn take(&mut self, status: &ChaincodeStatus) {
        let deployment = match &status.place {
            Some(Place::Kubernetes(place)) => place.deployment.clone(),
            Some(Place::Local(_)) | None => String::new(),
        };
        let (package_id, msp_id) = (status.package_id.clone(), status.msp_id.clone());
        let of = &Chaincode { package_id, msp_id, peer: status.peer.clone(), deployment };
        let is_ready = matches!(status.state(), RunState::Ready | RunState::Changing);
        self.in_flight.get_or_create(of).inc_by(status.transactions_in_flight.into());
        self.wanted.get_or_create(of).inc_by(status.replicas_wanted.into());
        self.registered.get_or_create(of).inc_by(status.replicas_registered.into());
        self.ready.get_or_create(of).inc_by(is_ready.into());
        self.run_again.get_or_create(of).inc_by(status.transactions_run_again);
        self.answered.get_or_create(of).inc_by(status.transactions_answered);
        self.differed.get_or_create(of).inc_by(status.transactions_differed);
        self.started.get_or_create(of).inc_by(status.replicas_started);
        self.ended.get_or_create(of).inc_by(status.replicas_ended);
        let nothing = Traffic::default();
        let traffic = status.traffic.as_ref().unwrap_or(&nothing);
        self.begun.get_or_create(of).inc_by(traffic.begun);
        self.failed.get_or_create(of).inc_by(traffic.failed);
        self.received.get_or_create(of).inc_by(traffic.bytes_from_peer);
        self.sent.get_or_create(of).inc_by(traffic.bytes_to_peer);
        self.durations.add(of, traffic);
    }

    fn register(self, registry: &mut Registry) {
        for (name, help, metric) in [
            (
                "transactions_in_flight",
                "Transactions that replicas have, or that wait for one",
                self.in_flight,
            ),
            ("replicas_wanted", "Replicas that are to be there", self.wanted),
            ("replicas_registered", "Replicas that take transactions", self.registered),
            ("ready", "Whether the peer takes it as ready", self.ready),
        ] {
            registry.register(name, help, metric);
        }
        for (name, help, metric) in [
            ("transactions", "Transactions that the peer has begun", self.begun),
            (
                "transactions_failed",
                "Transactions that ended with an error, or for which the peer waits no longer",
                self.failed,
            ),
            (
                "transactions_run_again",
                "Transactions that were run again as their replica ended",
                self.run_again,
            ),
            (
                "transactions_answered",
                "Transactions that were answered with an error as it ended",
                self.answered,
            ),
            (
                "transactions_differed",
                "Transactions that did something else when run again",
                self.differed,
            ),
            ("replicas_started", "Replicas that have registered", self.started),
            ("replicas_ended", "Replicas that have ended and were not to", self.ended),
        ] {
            registry.register(name, help, metric);
        }
        for (name, help, metric) in [
            ("received_from_peer", "The length of all messages of the peer", self.received),
            ("sent_to_peer", "The length of all messages to the peer", self.sent),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, metric);
        }
        registry.register_collector(Box::new(self.durations));
    }
}

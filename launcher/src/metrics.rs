//! `/metrics`: what there is of each chaincode, as Prometheus asks for it (the text of `OpenMetrics`). What it
//! tells is enough for whoever scales a chaincode by what there is to do.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use selvedge_proto::launcher::ChaincodeStatus;
use selvedge_proto::launcher::chaincode_status::Place;

/// The media type of what is told.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Which chaincode: as many as a peer has launched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Chaincode {
    package_id: String,
    msp_id: String,
    /// Empty on the `local` backend.
    deployment: String,
}

/// What is told of these.
pub(crate) fn told(chaincodes: &[ChaincodeStatus]) -> String {
    let gauge = Family::<Chaincode, Gauge>::default;
    let (in_flight, wanted, registered) = (gauge(), gauge(), gauge());
    let counter = Family::<Chaincode, Counter<u64, AtomicU64>>::default;
    let (run_again, answered, differed) = (counter(), counter(), counter());
    for status in chaincodes {
        let deployment = match &status.place {
            Some(Place::Kubernetes(place)) => place.deployment.clone(),
            Some(Place::Local(_)) | None => String::new(),
        };
        let (package_id, msp_id) = (status.package_id.clone(), status.msp_id.clone());
        let of = &Chaincode { package_id, msp_id, deployment };
        in_flight.get_or_create(of).inc_by(status.transactions_in_flight.into());
        wanted.get_or_create(of).inc_by(status.replicas_wanted.into());
        registered.get_or_create(of).inc_by(status.replicas_registered.into());
        run_again.get_or_create(of).inc_by(status.transactions_run_again);
        answered.get_or_create(of).inc_by(status.transactions_answered);
        differed.get_or_create(of).inc_by(status.transactions_differed);
    }
    let mut registry = Registry::with_prefix("selvedge_chaincode");
    for (name, help, metric) in [
        (
            "transactions_in_flight",
            "Transactions that replicas have, or that wait for one",
            in_flight,
        ),
        ("replicas_wanted", "Replicas that are to be there", wanted),
        ("replicas_registered", "Replicas that take transactions", registered),
    ] {
        registry.register(name, help, metric);
    }
    for (name, help, metric) in [
        (
            "transactions_run_again",
            "Transactions that were run again as their replica ended",
            run_again,
        ),
        (
            "transactions_answered",
            "Transactions that were answered with an error as it ended",
            answered,
        ),
        ("transactions_differed", "Transactions that did something else when run again", differed),
    ] {
        registry.register(name, help, metric);
    }
    let mut told = String::new();
    // A text takes whatever is written to it.
    let _ = text::encode(&mut told, &registry);
    told
}

#[cfg(test)]
mod tests {
    use selvedge_proto::launcher::KubernetesPlace;

    use super::*;

    #[test]
    fn what_there_is_of_each_chaincode() {
        let place = KubernetesPlace { namespace: "org1".into(), deployment: "basic".into() };
        let status = ChaincodeStatus {
            package_id: "basic_1.0:ab".into(),
            msp_id: "Org1MSP".into(),
            place: Some(Place::Kubernetes(place)),
            replicas_wanted: 3,
            replicas_registered: 2,
            transactions_in_flight: 17,
            transactions_run_again: 5,
            ..ChaincodeStatus::default()
        };
        let told = told(&[status]);
        let labels = r#"{package_id="basic_1.0:ab",msp_id="Org1MSP",deployment="basic"}"#;
        for line in [
            format!("selvedge_chaincode_transactions_in_flight{labels} 17"),
            format!("selvedge_chaincode_replicas_wanted{labels} 3"),
            format!("selvedge_chaincode_replicas_registered{labels} 2"),
            format!("selvedge_chaincode_transactions_run_again_total{labels} 5"),
            "# EOF".to_owned(),
        ] {
            assert!(told.lines().any(|told| told == line), "{line} is not in:\n{told}");
        }
    }

    #[test]
    fn of_none_there_is_nothing() {
        assert!(told(&[]).ends_with("# EOF\n"));
    }
}

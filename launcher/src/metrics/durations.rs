//! What transactions took, as a histogram. The proxies count; the library's own histogram would have
//! them lock for each transaction.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use selvedge_proto::launcher::Traffic;

use super::chaincode::Chaincode;

/// What transactions took, by chaincode.
#[derive(Debug, Default)]
pub(super) struct Durations(BTreeMap<Chaincode, Distribution>);

#[derive(Debug, Default)]
struct Distribution {
    seconds: f64,
    /// Each bound, and how many took no longer, and longer than the one before.
    buckets: Vec<(f64, u64)>,
}

impl Durations {
    /// Adds those of a run.
    pub(super) fn add(&mut self, of: &Chaincode, traffic: &Traffic) {
        if traffic.took.is_empty() {
            return;
        }
        let distribution = self.0.entry(of.clone()).or_default();
        distribution.seconds += traffic.seconds;
        let bounds = traffic.bounds.iter().copied().chain([f64::INFINITY]);
        distribution.buckets.resize(traffic.took.len(), (0.0, 0));
        let buckets = distribution.buckets.iter_mut();
        for (bucket, (bound, number)) in buckets.zip(bounds.zip(&traffic.took)) {
            *bucket = (bound, bucket.1 + number);
        }
    }
}

impl Collector for Durations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "What transactions took, from the peer's message to the end's being on its way";
        let name = "transaction_duration";
        let mut metric =
            encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (of, Distribution { seconds, buckets }) in &self.0 {
            let number = buckets.iter().map(|(_, number)| number).sum();
            metric
                .encode_family(of)?
                .encode_histogram::<NoLabelSet>(*seconds, number, buckets, None)?;
        }
        Ok(())
    }
}

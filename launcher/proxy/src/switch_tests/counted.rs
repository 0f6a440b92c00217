//! What is counted of transactions, whatever becomes of them.

use super::*;

impl Bench {
    /// How many were begun, have ended and have failed.
    fn counted(&self) -> (u64, u64, u64) {
        let now = self.switch.figures().now();
        (now.begun, now.ended(), now.failed)
    }

    fn last_failure(&self) -> String {
        self.switch.figures().now().last_failure.unwrap().text
    }
}

#[tokio::test(start_paused = true)]
async fn each_transaction_is_counted_once_and_with_the_time_that_it_waited() {
    let mut bench = Bench::ready(Limits::default());
    bench.begin("a");
    advance(Duration::from_millis(700)).await;
    let only = bench.greeted_and_given();
    advance(Duration::from_millis(200)).await;
    bench.says(only, Type::GetState, "a");
    bench.says(only, Type::Completed, "a");
    assert_eq!(bench.counted(), (1, 0, 0), "its end waits for the peer's answer");
    bench.answers("a");
    assert_eq!(bench.counted(), (1, 1, 0));
    let now = bench.switch.figures().now();
    assert_eq!(now.time, Duration::from_millis(900));
    assert_eq!((now.bytes_from_peer > 0, now.bytes_to_peer), (true, 0), "nothing has left yet");
    let said: usize =
        std::iter::from_fn(|| bench.switch.take_for_peer()).map(|frame| frame.bytes().len()).sum();
    assert_eq!(bench.switch.figures().now().bytes_to_peer, said as u64);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_ran_or_answered_has_failed() {
    let mut bench = Bench::ready(Limits { execution: Duration::from_secs(30), ..once() });
    // No replica comes for it.
    bench.begin("a");
    advance(Limits::default().replica_wait).await;
    bench.switch.expire(Instant::now());
    assert_eq!(bench.counted(), (1, 1, 1));
    assert!(bench.last_failure().contains("no replica of the chaincode"), "{:?}", bench.counted());
    // Its replica ends.
    let first = bench.greeted();
    bench.begin("b");
    bench.switch.replica_gone(first, "broken pipe");
    assert_eq!(bench.counted(), (2, 2, 2));
    assert!(bench.last_failure().ends_with("broken pipe"), "{}", bench.last_failure());
    // The peer waits no longer; that the chaincode answers later changes nothing.
    let second = bench.greeted();
    bench.begin("c");
    advance(Duration::from_secs(30)).await;
    bench.switch.expire(Instant::now());
    assert_eq!(bench.counted(), (3, 3, 3));
    bench.says(second, Type::Completed, "c");
    assert_eq!(bench.counted(), (3, 3, 3));
    assert!(bench.last_failure().contains("did not answer"), "{}", bench.last_failure());
    // The proxy ends.
    bench.begin("d");
    bench.switch.answer_all("the chaincode is being stopped");
    assert_eq!(bench.counted(), (4, 4, 4));
}

#[test]
fn one_that_is_run_again_is_counted_once() {
    let mut bench = Bench::ready(Limits::default());
    let first = bench.greeted();
    bench.begin("a");
    bench.switch.replica_gone(first, "broken pipe");
    let second = bench.greeted_and_given();
    bench.says(second, Type::Completed, "a");
    assert_eq!(bench.counted(), (1, 1, 0));
}

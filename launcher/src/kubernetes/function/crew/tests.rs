//! A function's pods, with keepers of a few lines at addresses of this machine.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::super::super::followed_logs::LastEnd;
use super::super::{self as function};
use super::*;

/// For what happens by itself.
const SOON: Duration = Duration::from_secs(30);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("no {what}"))
}

/// A pod, whose keeper listens at an address that no other test has.
struct Kept {
    pod: Pod,
    address: IpAddr,
    listener: TcpListener,
}

impl Kept {
    async fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 98, number));
        let listener = TcpListener::bind((address, KEEPER_PORT)).await.unwrap();
        let pod = serde_json::from_value(json!({
            "metadata": {"name": "pod", "uid": format!("uid-{number}")},
            "status": {"phase": "Running", "podIP": address},
        }));
        Self { pod: pod.unwrap(), address, listener }
    }

    /// Takes the launcher's line, and says how the chaincode stands.
    async fn answer(&self, stand: Stand) -> Line {
        let (stream, _) = soon("call", self.listener.accept()).await.unwrap();
        let mut line = Line(BufReader::new(stream));
        line.say(stand).await;
        line
    }
}

/// A keeper's end of a line.
struct Line(BufReader<TcpStream>);

impl Line {
    async fn say(&mut self, stand: Stand) {
        self.0.get_mut().write_all(format!("{stand}\n").as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> String {
        let mut line = String::new();
        soon("order", self.0.read_line(&mut line)).await.unwrap();
        line.trim_end().to_owned()
    }

    async fn hears(&mut self, word: &str) {
        assert_eq!(self.next().await, word);
    }

    /// Is told to start one, when the one before it may have been told to make place.
    async fn hears_start(&mut self) {
        loop {
            match self.next().await.as_str() {
                "let go" | "stop" => {}
                word => return assert_eq!(word, "start"),
            }
        }
    }
}

struct Bench {
    function: function::Function,
    words: function::FunctionWords,
    events: mpsc::Receiver<ReplicaEvent>,
    ends: watch::Sender<LastEnds>,
}

impl Bench {
    fn new(function: Function, port: Option<u16>) -> Self {
        let settings = Chaincode {
            execution: selvedge_config::Mode::Function,
            function,
            ..Chaincode::default()
        };
        let (sink, events) = mpsc::channel(16);
        let (ends, last_ends) = watch::channel(HashMap::new());
        let function = function::Function::of(&settings, port, sink, last_ends).unwrap();
        Self { words: function.words(), function, events, ends }
    }

    /// What is told next.
    async fn told(&mut self) -> String {
        match soon("event", self.events.recv()).await.unwrap() {
            ReplicaEvent::Exited(exit) => format!("exited: {exit}"),
            ReplicaEvent::Refused(reason) => format!("refused: {reason}"),
            other => format!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_call_starts_a_process_and_the_next_one_another() {
    let (mut bench, kept) = (Bench::new(Function::default(), None), Kept::new().await);
    bench.function.see(&[&kept.pod]);
    let mut line = kept.answer(Stand::Rests).await;
    for _ in 0..2 {
        bench.words.want(1);
        line.hears_start().await;
        line.say(Stand::Runs).await;
        bench.words.met(kept.address, Meeting::Joined);
        bench.words.want(1);
        bench.words.met(kept.address, Meeting::Released);
        bench.words.want(0);
        line.say(Stand::Ended(2)).await;
    }
    assert_eq!(bench.function.pods(), 1);
    assert!(bench.events.try_recv().is_err(), "how one ends that was let go is its own matter");
}

#[tokio::test]
async fn one_that_fails_is_told_with_what_its_pods_log_has() {
    let (mut bench, kept) = (Bench::new(Function::default(), None), Kept::new().await);
    bench.function.see(&[&kept.pod]);
    let mut line = kept.answer(Stand::Rests).await;
    bench.words.want(1);
    line.hears("start").await;
    line.say(Stand::Runs).await;
    line.say(Stand::Ended(3)).await;
    let exit =
        ReplicaExit { status: "exit status: 3".to_owned(), last_lines: vec!["no luck".to_owned()] };
    let uid = kept.pod.metadata.uid.clone().unwrap();
    bench.ends.send_modify(|ends| {
        ends.insert(uid, LastEnd { at: Instant::now(), exit });
    });
    assert_eq!(bench.told().await, "exited: exit status: 3; it wrote: no luck");
    let told = "refused: it ended before it registered: exit status: 3; it wrote: no luck";
    assert_eq!(bench.told().await, told);

    // What the log told of the one before is not told of the next.
    bench.words.want(1);
    line.hears("start").await;
    line.say(Stand::Ended(137)).await;
    assert_eq!(bench.told().await, "exited: signal: 9; it wrote nothing");
}

#[tokio::test]
async fn where_nothing_is_kept_there_are_pods_while_one_is_called_for() {
    let function = Function { keep: Keep::Nothing, ..Function::default() };
    let (mut bench, kept) = (Bench::new(function, None), Kept::new().await);
    assert_eq!(bench.function.pods(), 0);
    bench.words.want(1);
    soon("resize", bench.function.resized()).await;
    assert_eq!(bench.function.pods(), 1);
    // Its process is there sooner than the word of its pod.
    bench.words.met(kept.address, Meeting::Joined);
    bench.words.want(1);
    bench.function.see(&[&kept.pod]);
    let mut line = kept.answer(Stand::Runs).await;
    bench.words.met(kept.address, Meeting::Lost);
    bench.words.want(1);
    line.say(Stand::Ended(0)).await;
    line.hears_start().await;
    bench.words.met(kept.address, Meeting::Joined);
    bench.words.met(kept.address, Meeting::Released);
    bench.words.want(0);
    soon("resize", bench.function.resized()).await;
    assert_eq!(bench.function.pods(), 0);
}

#[tokio::test]
async fn one_that_ended_in_a_pod_that_a_call_has_made_before_its_keeper_was_reached_has_failed() {
    let function = Function { keep: Keep::Nothing, ..Function::default() };
    let (mut bench, kept) = (Bench::new(function, None), Kept::new().await);
    bench.words.want(1);
    bench.function.see(&[&kept.pod]);
    let _line = kept.answer(Stand::Ended(3)).await;
    assert_eq!(bench.told().await, "exited: exit status: 3; it wrote nothing");
    assert!(bench.told().await.starts_with("refused: it ended before it registered"));
}

#[tokio::test]
async fn who_waits_is_told_why_there_is_no_pod() {
    let mut bench = Bench::new(Function::default(), None);
    bench.function.hinder(Some("ImagePullBackOff".to_owned()));
    assert_eq!(bench.told().await, "Trouble(\"ImagePullBackOff\")");
    for _ in 0..2 {
        bench.words.want(1);
        assert_eq!(bench.told().await, "refused: ImagePullBackOff");
    }
    let kept = Kept::new().await;
    bench.function.see(&[&kept.pod]);
    let mut line = kept.answer(Stand::Rests).await;
    bench.words.want(1);
    line.hears("start").await;
}

#[tokio::test]
async fn one_that_is_there_from_before_is_ended_and_what_listens_is_dialled_while_it_runs() {
    let (mut bench, kept) = (Bench::new(Function::default(), Some(9999)), Kept::new().await);
    bench.function.see(&[&kept.pod]);
    let mut line = kept.answer(Stand::Runs).await;
    bench.words.want(1);
    line.hears("stop").await;
    line.say(Stand::Ended(143)).await;
    line.hears("start").await;
    assert_eq!(bench.told().await, format!("Listening({}:9999)", kept.address));
    line.say(Stand::Runs).await;
    bench.words.met(kept.address, Meeting::Joined);
    bench.words.met(kept.address, Meeting::Released);
    bench.words.want(0);
    line.hears("let go").await;
    line.hears("stop").await;
    line.say(Stand::Ended(143)).await;
    assert_eq!(bench.told().await, format!("Silenced({}:9999)", kept.address));
}

#[tokio::test]
async fn a_pod_that_goes_is_passed_over_and_what_it_has_left_counts_until_that_is_gone() {
    let mut bench = Bench::new(Function::default(), None);
    let [one, other] = [Kept::new().await, Kept::new().await];
    bench.function.see(&[&one.pod]);
    let mut line = one.answer(Stand::Rests).await;
    bench.words.want(1);
    line.hears("start").await;
    bench.words.met(one.address, Meeting::Joined);
    bench.words.want(1);
    bench.function.see(&[&other.pod]);
    let mut line = other.answer(Stand::Rests).await;
    bench.words.want(1);
    bench.words.met(one.address, Meeting::Lost);
    bench.words.want(1);
    line.hears("start").await;
    // Nothing was ordered there before.
    line.say(Stand::Runs).await;
    bench.words.met(other.address, Meeting::Joined);
    bench.words.met(other.address, Meeting::Hung);
    bench.words.want(0);
    line.hears("stop").await;
}

//! The client of `tests/gateway`, driven line by line.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use testbed::dist::workspace_dir;
use testbed::{GatewayAccess, go_program};

/// The longest that one answer may take: a load of some minutes.
const LIMIT: Duration = Duration::from_mins(10);

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Endorsed by the peer, and no more.
    Evaluate,
    /// Endorsed, and no more; what comes back is the read-write set that was signed.
    Endorse,
    /// Endorsed, ordered and committed.
    Submit,
}

/// A running client.
pub struct Gateway {
    child: Child,
    stdin: ChildStdin,
    next: u64,
    waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>>,
}

/// What came of a load.
#[derive(Clone, Debug, Deserialize)]
pub struct LoadReport {
    /// Calls made.
    pub count: u64,
    /// Calls that failed.
    pub failed: u64,
    /// How many of those returned what was not expected of them.
    pub wrong: u64,
    /// What they failed with.
    #[serde(default)]
    pub errors: Vec<LoadError>,
    /// Successful calls in a second.
    pub per_second: f64,
    /// The longest time in which no call succeeded, in microseconds.
    pub longest_gap_us: f64,
    /// When, in microseconds after the beginning, the last call ended that failed or was slow; 0 if
    /// none was.
    pub trouble_us: f64,
    /// Latencies of the calls that succeeded, in microseconds.
    pub latency_us: Latency,
}

impl LoadReport {
    /// That there were calls, and that none of them failed.
    ///
    /// # Panics
    ///
    /// When it is otherwise.
    #[track_caller]
    pub fn assert_unharmed(&self) {
        assert!(self.count > 0 && self.failed == 0, "{self:?}");
    }
}

/// A text that calls failed with, and how many did.
#[derive(Clone, Debug, Deserialize)]
pub struct LoadError {
    /// The text.
    pub error: String,
    /// How many calls.
    pub count: u64,
}

/// What became of reads and writes of a few keys, and whether there is an order of them that explains
/// what each client saw.
#[derive(Clone, Debug, Deserialize)]
pub struct Verdict {
    /// Reads asked for.
    pub reads: u64,
    /// Writes asked for.
    pub writes: u64,
    /// Reads that failed, and writes that failed before anybody could commit them.
    pub failed: u64,
    /// Writes that may have been committed, for all that their clients know.
    pub unknown: u64,
    /// `Ok`, `Illegal`, or `Unknown` if it could not be told in time.
    pub linearizable: String,
    /// The keys of which there is no such order.
    pub illegal: Vec<String>,
    /// What calls failed with.
    pub errors: Vec<LoadError>,
}

/// How latencies are spread, in microseconds.
#[derive(Clone, Debug, Deserialize)]
pub struct Latency {
    /// The shortest.
    pub min: f64,
    /// Half of them are no longer.
    pub median: f64,
    /// A tenth of them is longer.
    pub p90: f64,
    /// The longest.
    pub max: f64,
}

/// An answer, or several, that are still to come.
pub struct Pending {
    id: u64,
    answers: Receiver<Value>,
}

impl Op {
    fn word(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Endorse => "endorse",
            Self::Submit => "submit",
        }
    }
}

impl Gateway {
    /// Connects a client.
    ///
    /// # Panics
    ///
    /// When it cannot be built or does not connect.
    pub fn connect(access: &GatewayAccess, channel: &str, chaincode: &str) -> Self {
        let module = workspace_dir().join("tests/gateway");
        let program = go_program::obtain(&module, &mut |line| eprintln!("{line}"))
            .expect("the gateway client is built");
        let mut child = Command::new(program)
            .args(["--endpoint", &access.endpoint.to_string(), "--tls-name", &access.tls_name])
            .args(["--msp-id", &access.msp_id, "--channel", channel, "--chaincode", chaincode])
            .arg("--tls-ca")
            .arg(&access.tls_ca)
            .arg("--cert")
            .arg(&access.certificate)
            .arg("--key")
            .arg(&access.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the gateway client starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let waiting = Arc::<Mutex<HashMap<u64, Sender<Value>>>>::default();
        let readers = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let answer: Value = serde_json::from_str(&line).expect("an answer is JSON");
                let id = answer["id"].as_u64();
                let waiting = readers.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(waiting) = id.and_then(|id| waiting.get(&id)) {
                    // Nobody waits any more: a test that has failed.
                    let _ = waiting.send(answer);
                }
            }
            // Whoever waits learns that nothing more comes.
            readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Self { child, stdin, next: 1, waiting }
    }

    /// Calls a function; the result, or the whole error.
    pub fn call(&mut self, op: Op, arguments: &[&str]) -> Result<String, String> {
        self.start_call(op, arguments).result()
    }

    /// Calls a function that returns much; the SHA-256 of the result in hex, or the error.
    pub fn call_for_digest(&mut self, op: Op, arguments: &[&str]) -> Result<String, String> {
        let answer =
            self.send(json!({"op": op.word(), "args": arguments, "as": "digest"})).answer();
        match answer["sha256"].as_str() {
            Some(digest) => Ok(digest.to_owned()),
            None => Err(answer["error"].as_str().unwrap_or("no error text").to_owned()),
        }
    }

    /// Calls a function and does not wait.
    pub fn start_call(&mut self, op: Op, arguments: &[&str]) -> Pending {
        self.send(json!({"op": op.word(), "args": arguments}))
    }

    /// Calls a function `count` times by so many clients. Each `%d` in the arguments becomes
    /// the call's number.
    pub fn start_load(&mut self, op: Op, clients: u64, count: u64, arguments: &[&str]) -> Pending {
        self.send(load(op, clients, ("count", count.into()), arguments))
    }

    /// The same for so long, and until what is under way then has been answered.
    pub fn start_load_for(
        &mut self,
        op: Op,
        clients: u64,
        time: Duration,
        arguments: &[&str],
    ) -> Pending {
        self.send(load(op, clients, ("seconds", time.as_secs_f64().into()), arguments))
    }

    /// The same, and an answer that takes as long as `slow` is trouble. Each call is to return
    /// `expected`, if that is not empty.
    pub fn start_watched_load(
        &mut self,
        op: Op,
        clients: u64,
        (time, slow): (Duration, Duration),
        arguments: &[&str],
        expected: &str,
    ) -> Pending {
        let mut request = load(op, clients, ("seconds", time.as_secs_f64().into()), arguments);
        request["expect"] = expected.into();
        request["slow_us"] = u64::try_from(slow.as_micros()).unwrap_or(u64::MAX).into();
        self.send(request)
    }

    /// Has so many clients read and write so many new keys of the ledger contract for so long.
    pub fn start_history(&mut self, clients: u64, keys: u64, time: Duration) -> Pending {
        let seconds = time.as_secs_f64();
        self.send(json!({"op": "history", "clients": clients, "keys": keys, "seconds": seconds}))
    }

    /// Ends a load before its time, once what is under way has been answered; its report.
    ///
    /// # Panics
    ///
    /// When it has ended by itself.
    pub fn end_load(&mut self, load: Pending) -> LoadReport {
        assert!(load.try_report().is_none(), "the load has ended by itself");
        self.send(json!({"op": "stop", "of": load.id}));
        load.report()
    }

    /// [`Self::start_load`], and each call is to return `expected`, in which `%d` stands for its
    /// number too.
    pub fn start_compared_load(
        &mut self,
        op: Op,
        clients: u64,
        count: u64,
        arguments: &[&str],
        expected: &str,
    ) -> Pending {
        let mut request = load(op, clients, ("count", count.into()), arguments);
        request["expect"] = expected.into();
        self.send(request)
    }

    /// [`Self::start_load`], to its end.
    pub fn load(&mut self, op: Op, clients: u64, count: u64, arguments: &[&str]) -> LoadReport {
        self.start_load(op, clients, count, arguments).report()
    }

    fn send(&mut self, mut request: Value) -> Pending {
        let id = self.next;
        self.next += 1;
        request["id"] = id.into();
        let (sender, receiver) = channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        writeln!(self.stdin, "{request}").expect("the gateway client takes a request");
        Pending { id, answers: receiver }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pending {
    /// Waits for the call's result, or its whole error.
    pub fn result(self) -> Result<String, String> {
        outcome(&self.answer())
    }

    /// The call's result, or its whole error, if it has come.
    ///
    /// # Panics
    ///
    /// When the client has ended.
    pub fn try_result(&self) -> Option<Result<String, String>> {
        match self.answers.try_recv() {
            Ok(answer) => Some(outcome(&answer)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => panic!("the gateway client has ended"),
        }
    }

    /// Waits until a load measures, or a history begins.
    ///
    /// # Panics
    ///
    /// When it ends before.
    pub fn await_start(&self) {
        let event = self.next();
        assert_eq!(event["event"], "started", "{event}");
    }

    /// A load's report, if it has ended.
    ///
    /// # Panics
    ///
    /// When the client cannot run it, or has ended.
    pub fn try_report(&self) -> Option<LoadReport> {
        loop {
            match self.answers.try_recv() {
                Ok(event) if event.get("event").is_some() => {}
                Ok(answer) => return Some(report(answer)),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => panic!("the gateway client has ended"),
            }
        }
    }

    /// Waits for a load's end.
    ///
    /// # Panics
    ///
    /// When the client cannot run it.
    pub fn report(self) -> LoadReport {
        report(self.answer())
    }

    /// Waits for the end of a history.
    ///
    /// # Panics
    ///
    /// When it could not begin.
    pub fn verdict(self) -> Verdict {
        let answer = self.answer();
        let shown = answer.to_string();
        serde_json::from_value(answer).unwrap_or_else(|error| panic!("{error}: {shown}"))
    }

    /// The last line about this request; those on the way are passed over.
    fn answer(&self) -> Value {
        loop {
            let value = self.next();
            if value.get("event").is_none() {
                return value;
            }
        }
    }

    fn next(&self) -> Value {
        match self.answers.recv_timeout(LIMIT) {
            Ok(value) => value,
            Err(RecvTimeoutError::Timeout) => panic!("no answer within {LIMIT:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the gateway client has ended"),
        }
    }
}

/// A load, with how many calls or how many seconds it has.
fn load(op: Op, clients: u64, (bound, value): (&str, Value), arguments: &[&str]) -> Value {
    let mut load = json!({
        "op": "load", "kind": op.word(), "clients": clients, "warmup": clients,
        "unique": true, "progress": true, "args": arguments,
    });
    load[bound] = value;
    load
}

fn report(answer: Value) -> LoadReport {
    let shown = answer.to_string();
    serde_json::from_value(answer).unwrap_or_else(|error| panic!("{error}: {shown}"))
}

fn outcome(answer: &Value) -> Result<String, String> {
    if answer["ok"] == true {
        Ok(answer["result"].as_str().unwrap_or_default().to_owned())
    } else {
        Err(answer["error"].as_str().unwrap_or("no error text").to_owned())
    }
}

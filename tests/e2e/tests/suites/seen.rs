//! What an operator sees of a chaincode while it works: its calls and errors, its lines, its builds.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

use e2e::{Op, Process, Turn, chaincode_dir};
use serde_json::Value;
use testbed::dist_dir;
use testbed::process::wait_until;

use crate::cases;
use crate::ledger;
use crate::link::SOON;
use crate::status::await_told;

const NAME: &str = "seen";

fn selvedge(turn: &Turn<'_>, arguments: &[&str]) -> Command {
    let mut command = Command::new(dist_dir().join("bin/selvedge"));
    command.args(arguments).env("SELVEDGE_LAUNCHER", turn.launcher.address());
    command
}

fn asked(turn: &Turn<'_>, arguments: &[&str]) -> Output {
    selvedge(turn, arguments).output().unwrap()
}

fn printed(turn: &Turn<'_>, arguments: &[&str]) -> String {
    let output = asked(turn, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Somebody who follows a log; gone with this.
struct Follower(Child);

impl Follower {
    fn begin(turn: &Turn<'_>, arguments: &[&str]) -> Self {
        Self(selvedge(turn, arguments).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Reads on until a line holds this; that line.
    fn reads(&mut self, text: &str) -> String {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        let found = lines.map(Result::unwrap).find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no line with {text:?}"))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The builds of packages with this label, the newest first.
pub(crate) fn builds(turn: &Turn<'_>, label: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&printed(turn, &["builds", "--json"])).unwrap();
    let all = all.as_array().unwrap().iter();
    all.filter(|build| build["label"] == label).cloned().collect()
}

#[test]
fn calls_errors_and_lines_of_a_chaincode_are_told() {
    let turn = cases::STAGE.enter();
    let package_id = ledger::deploy(&turn, NAME);
    let mut client = turn.gateway(NAME);
    client.call(Op::Evaluate, &["Pid"]).unwrap();
    client.call(Op::Submit, &["Put", "a", "1"]).unwrap();
    client.call(Op::Evaluate, &["Nonsense"]).unwrap_err();

    let told = await_told(&turn, &package_id, |chaincode| chaincode["transactions"]["failed"] == 1);
    assert_eq!(told["transactions"]["begun"], 3, "{told:#}");
    assert_eq!(told["last_error"]["text"], r#"no function "Nonsense""#, "{told:#}");
    assert_eq!(told["mode"], "service", "{told:#}");
    assert_eq!(
        (&told["replicas"][0]["name"], &told["replicas"][0]["state"]),
        (&"replica-0".into(), &"registered".into()),
        "{told:#}"
    );
    assert!(told["latency"]["p99"].as_f64().unwrap() > 0.0, "{told:#}");
    assert!(told["bytes"]["from_peer"].as_u64().unwrap() > 0, "{told:#}");
    let shown = printed(&turn, &["status"]);
    assert!(shown.contains(r#"a call failed: no function "Nonsense""#), "{shown}");
    let metrics = turn.launcher.metrics().unwrap();
    let of = format!(
        r#"{{package_id="{package_id}",msp_id="{}",peer="",deployment=""}}"#,
        turn.peer().msp_id()
    );
    for told in [
        format!("selvedge_chaincode_transactions_total{of} 3\n"),
        format!("selvedge_chaincode_transactions_failed_total{of} 1\n"),
        format!("selvedge_chaincode_transaction_duration_seconds_count{of} 3\n"),
        format!("selvedge_chaincode_replicas_started_total{of} 1\n"),
    ] {
        assert!(metrics.contains(&told), "{told}{metrics}");
    }

    // By its label; who follows hears of what comes.
    let label = format!("{NAME}_1.0");
    let mut follower = Follower::begin(&turn, &["logs", &label, "--follow", "--tail", "0"]);
    let mut bare = Follower::begin(
        &turn,
        &["logs", &package_id, "--follow", "--replica", "replica-0", "--bare"],
    );
    client.call(Op::Evaluate, &["Panic"]).unwrap_err();
    let panic = "panic: ledger: panic on demand in transaction ";
    let line = follower.reads(panic);
    assert!(line.contains(&format!(" replica-0 {panic}")), "{line}");
    let remark = follower.reads("the chaincode ended and is started again");
    assert!(!remark.contains(" replica-0 "), "{remark}");
    assert!(bare.reads(panic).starts_with(panic));

    let json = printed(&turn, &["logs", &label, "--json", "--replica", "replica-0"]);
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["replica"] == "replica-0"), "{json}");
    assert!(lines.iter().any(|line| line["text"].as_str().unwrap().starts_with(panic)), "{json}");
    let last = printed(&turn, &["logs", &label, "--tail", "2"]);
    assert_eq!(last.lines().count(), 2, "{last}");

    let unknown = asked(&turn, &["logs", "nothing_1.0"]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(1), "{said}");
    assert!(said.contains("no chaincode nothing_1.0 was run by this launcher"), "{said}");
}

#[test]
fn builds_are_told_with_their_lines_and_what_became_of_them() {
    let turn = cases::STAGE.enter();
    let package = turn.package(&chaincode_dir("ledger"), "built_1.0");
    turn.peer().install(&package).unwrap();
    let done = &builds(&turn, "built_1.0")[0];
    assert_eq!((&done["state"], &done["type"]), (&"done".into(), &"golang".into()), "{done:#}");
    assert!(done["key"].is_string() && done["ended"].is_string(), "{done:#}");
    let id = done["id"].to_string();
    let shown = printed(&turn, &["builds", &id, "--follow"]);
    let image = format!("image: {}", done["image"].as_str().unwrap());
    assert!(shown.contains("of built_1.0 (golang)") && shown.contains(&image), "{shown}");

    let nocompile = turn.package(&chaincode_dir("nocompile"), "uncompiled_1.0");
    turn.peer().install(&nocompile).unwrap_err();
    let mut failed = Value::Null;
    let is_told = wait_until(SOON, || {
        failed = builds(&turn, "uncompiled_1.0").into_iter().next().unwrap_or_default();
        failed["state"] == "failed"
    });
    assert!(is_told, "{failed:#}");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.starts_with("the chaincode does not compile: "), "{reason}");
    let id = failed["id"].to_string();
    let one: Value = serde_json::from_str(&printed(&turn, &["builds", &id, "--json"])).unwrap();
    let lines = one["lines"].as_array().unwrap();
    assert!(lines.last().is_some_and(|line| line["text"] == reason), "{one:#}");
    let table = printed(&turn, &["builds"]);
    assert!(table.contains("uncompiled_1.0") && table.contains(reason), "{table}");
    let unknown = asked(&turn, &["builds", "4711"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
}

/// The first bytes of what a program prints, until they hold this so many times.
fn read_until(output: &mut impl Read, text: &str, times: usize) -> String {
    let (mut read, mut bytes) = (String::new(), [0; 4096]);
    while read.matches(text).count() < times {
        let number = output.read(&mut bytes).unwrap();
        assert!(number > 0, "it has ended: {read:?}");
        read += &String::from_utf8_lossy(&bytes[..number]);
    }
    read
}

#[test]
fn who_watches_is_told_again_and_again_until_he_has_enough() {
    let turn = cases::STAGE.enter();
    let program = dist_dir().join("bin/selvedge");

    // What is no terminal gets no escape codes, one table after the other.
    let mut piped = selvedge(&turn, &["status", "--watch"]);
    let mut watcher = Follower(piped.stdout(Stdio::piped()).spawn().unwrap());
    let told = read_until(watcher.0.stdout.as_mut().unwrap(), "backend local", 2);
    assert!(!told.contains('\u{1b}'), "{told:?}");
    let process = Process::with_pid(&watcher.0.id().to_string());
    process.interrupt();
    assert_eq!(watcher.0.wait().unwrap().code(), Some(130));

    // A terminal of util-linux' `script`, which passes on what is typed.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(format!("stty cols 80 rows 12; exec {} status --watch", program.display()))
        .arg("/dev/null")
        .env("SELVEDGE_LAUNCHER", turn.launcher.address())
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = terminal.stdout.take().unwrap();
    let drawn = read_until(&mut output, "backend local", 2);
    assert!(drawn.contains("\u{1b}[?1049h") && drawn.matches("\u{1b}[H").count() >= 2, "{drawn:?}");
    terminal.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\u{1b}[?25h\u{1b}[?1049l"), "{rest:?}");
    assert_eq!(terminal.wait().unwrap().code(), Some(130), "{rest:?}");
}

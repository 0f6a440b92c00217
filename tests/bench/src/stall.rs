//! What a neighbour suffers while a transaction waits for a replica.
//!
//! A transaction that waits holds the simulator's read lock (`core/endorser`), so the next block
//! waits for the write lock (`lockbased_txmgr.go`, `Commit`), and behind it all that is asked of
//! the channel on that peer. No proxy is needed for the neighbour to feel it: it has none.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Op, Pending};
use testbed::process::wait_until;

use crate::arena::{Arena, Contender};

/// How many clients of the neighbour read, and how many write, which makes blocks.
const CLIENTS: u64 = 4;

/// How long they call: something happens meanwhile, and they wait for its end.
const WINDOW: Duration = Duration::from_secs(2);

/// A process is started again within less.
const SOON: Duration = Duration::from_secs(10);

/// What one chaincode's death did to its neighbour.
pub(crate) struct Stall {
    /// While nothing happened.
    pub(crate) undisturbed: Longest,
    /// While a transaction waited for a replica that was killed and came back.
    pub(crate) restarted: Longest,
    /// While a transaction waited in vain.
    pub(crate) absent: Longest,
}

/// The longest that anyone waited for an answer, in microseconds.
pub(crate) struct Longest {
    /// The neighbour, that it reads.
    pub(crate) evaluate: f64,
    /// The neighbour, that it writes.
    pub(crate) submit: f64,
    /// Who called the chaincode that died.
    pub(crate) caller: f64,
}

/// Lets a chaincode die that nobody has used so far: the launcher starts what dies often ever
/// later, and lets nobody wait for it.
pub(crate) fn measure(arena: &mut Arena, number: u32) -> Result<Stall> {
    let mut victim = arena.deploy(&format!("victim-{number}"))?;
    let neighbour = &mut arena.direct;
    let undisturbed = beside(neighbour, || returns(&mut victim))?;
    let restarted = beside(neighbour, || {
        kill(&victim)?;
        returns(&mut victim)
    })?;
    victim.process = victim.find_process()?;
    unmake(&victim)?;
    let absent = beside(neighbour, || {
        kill(&victim)?;
        waits_in_vain(&mut victim)
    })?;
    Ok(Stall { undisturbed, restarted, absent })
}

/// What the neighbour's clients and the caller wait for at most while `something` is called.
fn beside(
    neighbour: &mut Contender,
    something: impl FnOnce() -> Result<Duration>,
) -> Result<Longest> {
    let gateway = &mut neighbour.gateway;
    let evaluate = gateway.start_load_for(Op::Evaluate, CLIENTS, WINDOW, &["Get", "k"]);
    let submit = gateway.start_load_for(Op::Submit, CLIENTS, WINDOW, &["Put", "key-%d", "v"]);
    evaluate.await_start();
    submit.await_start();
    let caller = something()?.as_secs_f64() * 1e6;
    Ok(Longest { evaluate: longest(evaluate)?, submit: longest(submit)?, caller })
}

fn longest(load: Pending) -> Result<f64> {
    let report = load.report();
    ensure!(report.failed == 0, "{} calls failed: {:?}", report.failed, report.errors);
    Ok(report.latency_us.max)
}

/// Ends its process; the launcher knows of it when this returns.
fn kill(victim: &Contender) -> Result<()> {
    victim.process.handle().kill();
    let is_gone = wait_until(SOON, || !victim.process.exists());
    ensure!(is_gone, "the chaincode that was killed is still there");
    Ok(())
}

/// Puts in the place of its program one that will not register.
fn unmake(victim: &Contender) -> Result<()> {
    let program = fs::read_link(victim.process.executable())?;
    // The process keeps what it runs.
    fs::remove_file(&program)?;
    fs::write(&program, "#!/bin/sh\nexec /bin/sleep 60\n")?;
    Ok(fs::set_permissions(&program, Permissions::from_mode(0o755))?)
}

/// How long a call takes that is answered as it should be.
fn returns(victim: &mut Contender) -> Result<Duration> {
    let (time, answer) = call(victim);
    answer.map(|_| time).map_err(anyhow::Error::msg)
}

/// How long a call takes for which no replica comes.
fn waits_in_vain(victim: &mut Contender) -> Result<Duration> {
    let (time, answer) = call(victim);
    let refused = answer.as_ref().is_err_and(|error| error.contains("no replica of the chaincode"));
    ensure!(refused, "a call was to wait for a replica in vain, and was answered {answer:?}");
    Ok(time)
}

fn call(victim: &mut Contender) -> (Duration, Result<String, String>) {
    let began = Instant::now();
    let answer = victim.gateway.call(Op::Evaluate, &["Get", "k"]);
    (began.elapsed(), answer)
}

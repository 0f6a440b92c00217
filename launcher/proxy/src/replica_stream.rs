//! One replica's stream: what it says goes to the switch, what the switch says to it.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::Status;

use crate::frame::Frame;
use crate::limits::Limits;
use crate::stream::{End, Inbound, Outbound};
use crate::switch::{ReplicaId, ReplicaLink, Switch, replica_queue};
use crate::violation::excerpt;

/// How many messages are taken from one replica before others have their turn.
const TURN: usize = 64;

/// A replica's stream.
pub(crate) struct ReplicaStream {
    id: ReplicaId,
    /// `None` once nothing more is read.
    inbound: Option<Inbound>,
    outbound: Outbound,
    stage: Stage,
    /// What the switch has for the replica; an error ends the stream.
    queue: mpsc::Receiver<Result<Frame, Status>>,
    /// What is to be sent next, when there is room.
    next: Option<Result<Frame, Status>>,
    is_finished: bool,
}

enum Stage {
    /// It has not sent its first message, which is due at this moment.
    Silent { until: Instant, link: ReplicaLink, cut: oneshot::Receiver<()> },
    /// The switch knows it, until this is closed.
    Registered { cut: oneshot::Receiver<()> },
    /// The switch is told nothing more of it.
    Over,
}

/// Why a turn of reading has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing more has come.
    Empty,
    /// There may be more.
    Used,
    /// There may be more, which the peer's slowness holds up.
    HeldUp,
}

impl ReplicaStream {
    pub(crate) fn new(
        id: ReplicaId,
        inbound: Inbound,
        outbound: Outbound,
        limits: &Limits,
    ) -> Self {
        let (sender, queue) = mpsc::channel(replica_queue(limits));
        let (link_cut, cut) = oneshot::channel();
        let link = ReplicaLink { outbound: sender, cut: link_cut };
        let stage = Stage::Silent { until: Instant::now() + limits.first_message, link, cut };
        let (inbound, next, is_finished) = (Some(inbound), None, false);
        Self { id, inbound, outbound, stage, queue, next, is_finished }
    }

    /// Whether anything came since the last call.
    pub(crate) fn take_heard(&mut self) -> bool {
        self.inbound.as_mut().is_some_and(Inbound::take_heard)
    }

    /// Until when the first message is awaited.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Silent { until, .. } => Some(*until),
            Stage::Registered { .. } | Stage::Over => None,
        }
    }

    /// Gives up on a replica whose first message is overdue.
    pub(crate) fn tick(&mut self, now: Instant, switch: &mut Switch, limit: Duration) {
        if self.deadline().is_some_and(|until| until <= now) {
            self.never_registers(switch, format!("it sent nothing for {} s", limit.as_secs_f32()));
        }
    }

    /// Passes on what has come.
    pub(crate) fn read(&mut self, switch: &mut Switch) -> Turn {
        if let Stage::Registered { cut } = &mut self.stage
            && cut.try_recv() != Err(oneshot::error::TryRecvError::Empty)
        {
            self.stop_reading();
            self.skip_to_the_end();
        }
        for _ in 0..TURN {
            let Some(inbound) = &mut self.inbound else { return Turn::Empty };
            if switch.is_peer_behind() {
                return Turn::HeldUp;
            }
            match inbound.poll_frame() {
                Poll::Ready(Ok(frame)) => self.takes(frame, switch),
                Poll::Ready(Err(end)) => self.ends(end, switch),
                Poll::Pending => return Turn::Empty,
            }
        }
        Turn::Used
    }

    fn takes(&mut self, frame: Frame, switch: &mut Switch) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Silent { link, cut, .. } => {
                self.stage = Stage::Registered { cut };
                switch.replica_registers(self.id, link, &frame);
            }
            Stage::Registered { cut } => {
                self.stage = Stage::Registered { cut };
                switch.replica_says(self.id, frame);
            }
            Stage::Over => {}
        }
    }

    /// Its messages have ended.
    fn ends(&mut self, end: End, switch: &mut Switch) {
        // A status or a GOAWAY may bring kilobytes of the replica's own.
        let end = if let End::Broken(reason) = end { End::Broken(excerpt(reason)) } else { end };
        if matches!(self.stage, Stage::Silent { .. }) {
            let (End::Broken(reason) | End::Breach(reason)) = end else {
                return self.never_registers(switch, CLOSED.to_owned());
            };
            return self.never_registers(switch, reason);
        }
        if matches!(self.stage, Stage::Registered { .. }) {
            match end {
                End::Closed => switch.replica_gone(self.id, CLOSED),
                End::Broken(reason) => switch.replica_gone(self.id, &reason),
                End::Breach(reason) => switch.replica_garbles(self.id, reason),
            }
        }
        self.stop_reading();
    }

    /// The whole connection is lost.
    pub(crate) fn is_lost(&mut self, reason: &str, switch: &mut Switch) {
        self.ends(End::Broken(reason.to_owned()), switch);
    }

    fn never_registers(&mut self, switch: &mut Switch, reason: String) {
        self.next = Some(Err(Status::failed_precondition(reason.clone())));
        switch.replica_never_registered(self.id, reason);
        self.stop_reading();
    }

    /// Leaves nothing of the queue but the last word: who is cut off may be one that never reads.
    fn skip_to_the_end(&mut self) {
        let mut end = ended_well();
        while let Ok(next) = self.queue.try_recv() {
            end = next.err().unwrap_or(end);
        }
        self.next = Some(Err(end));
    }

    fn stop_reading(&mut self) {
        self.stage = Stage::Over;
        self.inbound = None;
    }

    /// Sends what the switch has for the replica, as far as there is room.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>) {
        self.fill(cx);
        self.outbound.flush();
    }

    fn fill(&mut self, cx: &mut Context<'_>) {
        while !self.is_finished {
            if self.next.is_none() {
                let Poll::Ready(next) = self.queue.poll_recv(cx) else { return };
                // The switch has let go of it, and all that it said was sent.
                self.next = Some(next.unwrap_or_else(|| Err(ended_well())));
            }
            match self.next.take() {
                Some(Ok(frame)) if self.outbound.has_room() => self.outbound.send(&frame),
                Some(Err(status)) => {
                    self.outbound.end(&status);
                    self.stop_reading();
                    self.is_finished = true;
                }
                held_up => {
                    self.next = held_up;
                    // Nothing is read any more: this alone tells that the replica gave up.
                    self.is_finished = self.inbound.is_none() && self.outbound.is_reset();
                    return;
                }
            }
        }
    }

    /// Whether something waits for room, or is the last that the replica is told.
    pub(crate) fn is_held_up(&self) -> bool {
        self.next.is_some()
    }

    /// Whether there is nothing left to do: the switch has let go of it, and it was told.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_finished
    }
}

/// The last that a replica is told when there is nothing to say.
fn ended_well() -> Status {
    Status::new(tonic::Code::Ok, "")
}

/// A replica that ends its stream, as one does that exits well.
const CLOSED: &str = "it closed its stream";

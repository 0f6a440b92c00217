//! One replica's stream: what it says goes to the switch, what the switch says to it.

use std::task::Poll;

use tokio::time::Instant;
use tonic::Status;

use crate::frame::Frame;
use crate::limits::Limits;
use crate::replica::{ReplicaId, ReplicaLink};
use crate::roster::{ForReplica, ended_well};
use crate::stream::{End, Inbound, Outbound};
use crate::switch::Switch;
use crate::tether::Unregistered;
use crate::violation::{Violation, quote};

/// How many messages are taken from one replica before others have their turn.
const TURN: usize = 64;

/// The longest first message, in bytes: `REGISTER` has a package ID in it, and no label is
/// longer than a file's name (`core/chaincode/persistence`).
const FIRST_MESSAGE: usize = 4 << 10;

/// A replica's stream.
pub(crate) struct ReplicaStream {
    id: ReplicaId,
    /// `None` once nothing more is read.
    inbound: Option<Inbound>,
    outbound: Outbound,
    stage: Stage,
    /// What is to be sent next, when there is room.
    next: Option<ForReplica>,
    /// Since when there is none.
    held_up_since: Option<Instant>,
    is_finished: bool,
    /// Why no first message will come, until somebody asks.
    unregistered: Option<Unregistered>,
}

enum Stage {
    /// It has not sent its first message, which is due at this moment.
    Silent { until: Instant, link: ReplicaLink },
    /// The switch knows it, and has the last word.
    Registered,
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
    /// A long message is to come, for which there is no memory yet: so many bytes.
    Starved(usize),
}

impl ReplicaStream {
    pub(crate) fn new(
        id: ReplicaId,
        link: ReplicaLink,
        mut inbound: Inbound,
        outbound: Outbound,
        limits: &Limits,
    ) -> Self {
        inbound.set_limit(limits.message.min(FIRST_MESSAGE));
        let stage = Stage::Silent { until: Instant::now() + limits.first_message, link };
        Self {
            id,
            inbound: Some(inbound),
            outbound,
            stage,
            next: None,
            held_up_since: None,
            is_finished: false,
            unregistered: None,
        }
    }

    /// The replica's number.
    pub(crate) fn id(&self) -> ReplicaId {
        self.id
    }

    /// Why no first message will come, if that has shown since the last call.
    pub(crate) fn take_unregistered(&mut self) -> Option<Unregistered> {
        self.unregistered.take()
    }

    /// Whether anything came since the last call.
    pub(crate) fn take_heard(&mut self) -> bool {
        self.inbound.as_mut().is_some_and(Inbound::take_heard)
    }

    /// Whether the switch has taken it up.
    pub(crate) fn is_registered(&self) -> bool {
        matches!(self.stage, Stage::Registered)
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match &self.stage {
            Stage::Silent { until, .. } => Some(*until),
            Stage::Registered => {
                let unfinished = self.inbound.as_ref().and_then(Inbound::unfinished_since);
                let since = self.held_up_since.into_iter().chain(unfinished).min();
                since.map(|since| since + limits.standstill)
            }
            Stage::Over => None,
        }
    }

    /// Gives up on a replica whose first message is overdue, or that stands still.
    pub(crate) fn tick(&mut self, now: Instant, switch: &mut Switch, limits: &Limits) {
        if self.deadline(limits).is_none_or(|until| until > now) {
            return;
        }
        if !self.is_registered() {
            let limit = limits.first_message.as_secs_f32();
            let reason = format!("it sent nothing for {limit} s");
            return self.never_registers(Unregistered::Failed(reason));
        }
        let is_overdue = |since: Instant| since + limits.standstill <= now;
        if self.held_up_since.is_some_and(is_overdue) {
            switch.replica_breaks(self.id, &Violation::NotReading);
        } else if switch.is_peer_behind() || switch.is_replica_behind(self.id) {
            // It is we who do not read.
            self.inbound.iter_mut().for_each(Inbound::excuse);
        } else {
            switch.replica_breaks(self.id, &Violation::NotWriting);
        }
    }

    /// Passes on what has come.
    pub(crate) fn read(&mut self, switch: &mut Switch, limits: &Limits) -> Turn {
        if self.is_registered() && !switch.has_replica(self.id) {
            // It was cut off: what was for it is gone, but the last word.
            self.stop_reading();
            self.next = switch.take_for_replica(self.id);
        }
        for _ in 0..TURN {
            let Some(inbound) = &mut self.inbound else { return Turn::Empty };
            if switch.is_peer_behind() {
                return Turn::HeldUp;
            }
            if switch.is_replica_behind(self.id) {
                // To read what is there for it, or an answer, is to be polled again.
                return Turn::Empty;
            }
            match inbound.poll_frame() {
                Poll::Ready(Ok(frame)) => self.takes(frame, switch, limits),
                Poll::Ready(Err(end)) => self.ends(end, switch),
                Poll::Pending => {
                    return inbound.is_starved().map_or(Turn::Empty, Turn::Starved);
                }
            }
        }
        Turn::Used
    }

    fn takes(&mut self, frame: Frame, switch: &mut Switch, limits: &Limits) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Silent { link, .. } => {
                self.stage = Stage::Registered;
                if let Some(inbound) = &mut self.inbound {
                    inbound.set_limit(limits.message);
                }
                switch.replica_registers(self.id, link, &frame);
            }
            Stage::Registered => {
                self.stage = Stage::Registered;
                switch.replica_says(self.id, frame);
            }
            Stage::Over => {}
        }
    }

    /// Its messages have ended.
    fn ends(&mut self, end: End, switch: &mut Switch) {
        // A status or a GOAWAY may bring kilobytes of the replica's own.
        let end = if let End::Broken(reason) = end { End::Broken(quote(reason)) } else { end };
        if matches!(self.stage, Stage::Silent { .. }) {
            return self.never_registers(match end {
                End::Closed => Unregistered::Ended(CLOSED.to_owned()),
                End::Broken(reason) => Unregistered::Ended(reason),
                End::Breach(reason) => Unregistered::Failed(reason),
            });
        }
        if self.is_registered() {
            match end {
                End::Closed => switch.replica_gone(self.id, CLOSED),
                End::Broken(reason) => switch.replica_gone(self.id, &reason),
                End::Breach(reason) => {
                    switch.replica_breaks(self.id, &Violation::Garbled(reason));
                    self.next = switch.take_for_replica(self.id);
                }
            }
        }
        self.stop_reading();
    }

    /// The whole connection is lost.
    pub(crate) fn is_lost(&mut self, reason: &str, switch: &mut Switch) {
        self.ends(End::Broken(reason.to_owned()), switch);
    }

    /// The whole connection is given up, as nothing is heard of it.
    pub(crate) fn hangs(&mut self, reason: &str, switch: &mut Switch) {
        if self.is_registered() {
            switch.replica_hangs(self.id, reason);
            self.stop_reading();
        }
    }

    fn never_registers(&mut self, unregistered: Unregistered) {
        let (Unregistered::Ended(reason) | Unregistered::Failed(reason)) = &unregistered;
        self.next = Some(ForReplica::End(Status::failed_precondition(reason)));
        self.unregistered = Some(unregistered);
        self.stop_reading();
    }

    fn stop_reading(&mut self) {
        self.stage = Stage::Over;
        self.inbound = None;
        // Nobody waits for a message any more, but for the last word.
        self.next = self.next.take().filter(|next| matches!(next, ForReplica::End(_)));
    }

    /// Sends what the switch has for the replica, as far as there is room.
    pub(crate) fn write(&mut self, switch: &mut Switch) {
        self.fill(switch);
        self.outbound.flush();
    }

    fn fill(&mut self, switch: &mut Switch) {
        while !self.is_finished {
            if self.next.is_none() && self.is_registered() {
                self.next = switch.take_for_replica(self.id);
            }
            match self.next.take() {
                Some(ForReplica::Message(frame)) if self.outbound.has_room() => {
                    self.held_up_since = None;
                    self.outbound.send(&frame);
                }
                Some(ForReplica::End(status)) => {
                    self.outbound.end(&status);
                    self.stop_reading();
                    self.is_finished = true;
                }
                Some(held_up) => {
                    self.next = Some(held_up);
                    self.held_up_since.get_or_insert_with(Instant::now);
                    return;
                }
                None => {
                    self.held_up_since = None;
                    // It has ended its side, and there is nothing more to say.
                    if self.inbound.is_none() && !self.is_registered() {
                        self.next = Some(ForReplica::End(ended_well()));
                        continue;
                    }
                    return;
                }
            }
        }
    }

    /// Whether there is nothing left to do: the switch has let go of it, and it was told.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_finished
    }
}

/// A replica that ends its stream, as one does that exits well.
const CLOSED: &str = "it closed its stream";

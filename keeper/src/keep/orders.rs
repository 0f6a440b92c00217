//! What a keeper does that its launcher orders.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::{Keeper, State, Wish, spawn};
use crate::line::{Order, Stand, listen, orders};
use crate::report::{GIVEN_UP, LET_GO, say};
use crate::terms::Presence;
use crate::ward::lock;

impl Keeper {
    /// Takes orders at this port from now on. Where nothing can be run without them, it is an error if
    /// they cannot be.
    pub(super) fn take_orders(self: &Arc<Self>, port: u16) -> io::Result<()> {
        let attending = Arc::clone(self);
        match listen(port) {
            Ok(listener) => spawn(move || attending.attend(&listener)),
            Err(error) if self.terms.presence == Presence::Always => {
                say(&format_args!("cannot take orders at port {port}: {error}"));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Does what the launcher wants, which is whoever has dialled last.
    fn attend(self: &Arc<Self>, listener: &TcpListener) {
        // One that was gone before it was taken up is nobody.
        for stream in listener.incoming().flatten() {
            let Ok(line) = stream.try_clone() else { continue };
            self.take_line(stream);
            let heeding = Arc::clone(self);
            // Without a thread for it nobody is heard there, and dials again.
            let _ = spawn(move || orders(line).for_each(|order| heeding.obey(order)));
        }
    }

    fn take_line(&self, stream: TcpStream) {
        let state = &mut *lock(&self.state);
        state.line.replace(stream, state.stand);
    }

    fn obey(self: &Arc<Self>, order: Order) {
        let state = &mut *lock(&self.state);
        let runs = state.stand == Stand::Runs;
        match order {
            Order::Kill(ran) => state.kill(ran),
            // It runs always, and is not to be asked to end.
            _ if self.terms.presence == Presence::Always => {}
            // What runs, runs, and is not started a second time when it has ended.
            Order::Start if runs => {}
            Order::Start => state.wish = Wish::Start,
            Order::LetGo if runs => say(&LET_GO),
            Order::LetGo => {}
            Order::Stop if !runs => state.wish = Wish::GoOn,
            Order::Stop if state.wish == Wish::Stop => {}
            Order::Stop => {
                state.wish = Wish::Stop;
                let (stopping, ward) = (Arc::clone(self), state.ward.clone());
                let _ = spawn(move || ward.iter().for_each(|ward| stopping.stop(ward)));
            }
        }
        self.changed.notify_all();
    }
}

impl State {
    /// Kills what has run for so long; says how it stands if nothing has.
    fn kill(&mut self, ran: Duration) {
        let has_run = self.begun.is_some_and(|begun| begun.elapsed() >= ran);
        match &self.ward {
            Some(ward) if has_run && self.stand == Stand::Runs => {
                say(&GIVEN_UP);
                // One that hangs heeds nothing else, and has had its time.
                lock(ward).signal(Signal::KILL);
            }
            _ => self.line.tell(self.stand),
        }
    }
}

//! The real executables, called as a peer calls them, with a launcher that does
//! what each test says.

mod build;
mod detect;
mod executable;
mod launcher;
mod release;
mod run;
mod sandbox;
mod served;
mod stop;
mod unreachable;

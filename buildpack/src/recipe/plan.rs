//! The plan for one source: what each language makes, and what is carried out.

use std::fmt;
use std::io;
use std::time::Duration;

use super::command::BuildCommand;
use super::fetch::Fetch;
use super::mirror::Mirror;
use super::refusal::Refusal;
use super::toolchain::Toolchain;
use super::workplace::Workplace;
use crate::digest::Sha256;
use crate::image::{Form, Part};

/// The plan for one source. Its functions are pure but for [`Recipe::prepare`] and
/// [`Recipe::parts`].
pub trait Recipe: fmt::Debug + Send + Sync {
    /// What of it decides the outcome, besides the source, the toolchain and the image's base.
    fn inputs(&self) -> Vec<String>;

    /// What an image of it has over the base, and how it is started.
    fn form(&self) -> Form;

    /// The command whose last line is the version of what it is built with, where that is less than all
    /// of the language's tools, which [`Language::version`] tells.
    ///
    /// [`Language::version`]: crate::language::Language::version
    fn version(&self, toolchain: &Toolchain) -> Option<BuildCommand> {
        let _ = toolchain;
        None
    }

    /// The path of what loads the program with its libraries, which then have to be where it runs;
    /// none of what brings along, or stands on, all that it needs.
    fn loader(&self) -> Option<&str> {
        None
    }

    /// How what the source depends on is fetched ahead, for builds that share it; none if that cannot
    /// be done without running what was fetched. It decides nothing of the outcome.
    fn fetch(&self) -> Option<&dyn Fetch> {
        None
    }

    /// The repository of which its tools are given a mirror; none if they need none. It decides nothing
    /// of the outcome.
    fn mirror(&self) -> Option<&'static dyn Mirror> {
        None
    }

    /// What tells sources apart that ask different things of the mirror, as far as one can tell; none if
    /// nothing tells. It decides nothing of the outcome.
    fn needs(&self) -> Option<Sha256> {
        None
    }

    /// Makes the place ready for the commands.
    fn prepare(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> io::Result<()> {
        let _ = (toolchain, place);
        Ok(())
    }

    /// The commands that build, one after the other.
    fn commands(&self, toolchain: &Toolchain, place: &Workplace<'_>) -> Vec<BuildCommand>;

    /// The command whose output tells more of why one of [`Recipe::commands`] failed, of which this
    /// is the output. It need not succeed.
    fn question(
        &self,
        output: &str,
        toolchain: &Toolchain,
        place: &Workplace<'_>,
    ) -> Option<BuildCommand>;

    /// Another plan for the same source, which is carried out in place of this one, of which a
    /// command failed; none if there is nothing else to try. It belongs to [`Recipe::inputs`].
    fn instead(&self, failure: &Failure<'_>) -> Option<Box<dyn Recipe>> {
        let _ = failure;
        None
    }

    /// What a failed command has to say to the person who installed the chaincode.
    fn errors(&self, failure: &Failure<'_>) -> Vec<String>;

    /// What the commands made: a part for each layer of the form.
    fn parts(&self, place: &Workplace<'_>) -> Result<Vec<Part>, Refusal>;
}

/// A command that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The command.
    pub command: &'a BuildCommand,
    /// What it wrote, on both streams.
    pub output: &'a str,
    /// What was answered to [`Recipe::question`].
    pub answer: Option<&'a str>,
    /// How long the command took to fail.
    pub lasted: Duration,
}

impl Failure<'_> {
    /// The errors, and how long was tried if the last of them is what there is to know of something
    /// that could not be fetched.
    pub(crate) fn with_wait(&self, mut errors: Vec<String>, unfetched: &str) -> Vec<String> {
        if errors.last().is_some_and(|last| last == unfetched) {
            errors.push(format!("it was given up after {:.1} s", self.lasted.as_secs_f32()));
        }
        errors
    }
}

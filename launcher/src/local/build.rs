//! An image of a source, made with this machine's tools.
//!
//! What a package has its tools run is confined to the build's own directories, and finds nothing there
//! that another build could have changed: a home of its own, and of what is kept for other builds what
//! the tools alone have written (Go), what was fetched ahead of it and is known by its hash (npm), or
//! what a mirror brings that it asks (Maven).

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use selvedge_buildpack::attestation::{Build, Ingredient, Seen};
use selvedge_buildpack::image::{BuildKey, BuildKeyInputs};
use selvedge_buildpack::language::Language;
use selvedge_buildpack::recipe::{
    BuildFailure, Dependencies, Recipe, Toolchain, Workplace, carry_out, fetch_ahead,
};
use selvedge_proto::launcher::ImageReference;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{info, warn};

use super::compile::{LocalWorkshop, version};
use super::given::Given;
use super::mirrored::Mirrored;
use super::tools::{BuildTools, Tools};
use super::{LocalBackend, reference, tool_files};
use crate::backend::BuildError;
use crate::bounds::Bounds;
use crate::data::TemporaryDirectory;
use crate::loading;
use crate::source::StagedSource;

/// What was used in this time before a build began may be in use in another.
const IN_USE: Duration = Duration::from_hours(1);

/// The directories of one build.
struct Directories {
    files: TemporaryDirectory,
}

impl Directories {
    /// In whose place each of its processes has a root of its own.
    const EMPTY: &str = "empty";
    /// What it makes.
    const OUTPUT: &str = "output";
    /// What is of no use afterwards.
    const TEMPORARY: &str = "tmp";
    /// What its tools take for their user's.
    const HOME: &str = "home";
    /// Where they find what was fetched ahead.
    const FETCHED: &str = "fetched";

    fn make(files: TemporaryDirectory) -> io::Result<Self> {
        for name in [Self::EMPTY, Self::OUTPUT, Self::TEMPORARY, Self::HOME, Self::FETCHED] {
            fs::create_dir(files.path().join(name))?;
        }
        Ok(Self { files })
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.files.path().join(name)
    }

    /// What a process of the build may write to, of which `/tmp` is its own.
    fn given(&self) -> Vec<Given> {
        let temporary = self.at(Self::TEMPORARY);
        let tmp = Given { to: "/tmp".into(), ..Given::writable(&temporary) };
        let own = [Self::TEMPORARY, Self::OUTPUT, Self::FETCHED].map(|name| self.at(name));
        [tmp].into_iter().chain(own.map(Given::writable)).collect()
    }
}

impl LocalBackend {
    /// The image of a source, which is there already or is made.
    pub(super) async fn image_of(
        &self,
        source: &StagedSource,
        limit: Duration,
        log: &mpsc::Sender<String>,
    ) -> Result<ImageReference, BuildError> {
        let StagedSource { language, path, label, source, key: key_slot, .. } = source;
        let tools = self.tools(*language);
        let recipe = language.recipe(source, path, self.platform).map_err(refused)?;
        loading::here(&*recipe).map_err(refused)?;
        let asked = recipe.version(&tools.toolchain);
        let version = match asked.or_else(|| language.version(&tools.toolchain)) {
            Some(command) => version(&command).await?,
            None => String::new(),
        };
        let digest = source.digest().map_err(refused)?;
        let base = self.base.diff_id().map_err(|error| BuildError::Image(error.into()))?;
        let key = BuildKey::new(&BuildKeyInputs {
            source: digest,
            recipe: &recipe.inputs(),
            toolchain: &version,
            base,
            platform: self.platform,
        });
        key_slot.is(&key.tag());
        let told = |seen| Build {
            language: *language,
            path: path.clone(),
            label: label.clone(),
            source: digest,
            base,
            runtime: None,
            toolchain: Some(Ingredient { name: version.clone(), digest: None })
                .filter(|tools| !tools.name.is_empty()),
            recipe: recipe.inputs(),
            platform: self.platform,
            seen,
        };

        let _turn = self.turn.acquire().await;
        if let Some(known) = self.known(&key.tag(), digest, recipe.form()).await {
            info!(digest = %known.digest(), "the image of this source is there already");
            self.tell(&known, told(Seen::Found), log).await;
            return Ok(reference(&known, &recipe.form()));
        }
        info!(toolchain = version, "compiling");
        let files = self.data.temporary("build").map_err(unusable)?;
        let directories = Directories::make(files).map_err(unusable)?;
        let output = directories.at(Directories::OUTPUT);
        let place = Workplace { source: source.root(), output: &output };
        let temporary = directories.at(Directories::TEMPORARY);
        let mut workshop = LocalWorkshop {
            temporary: &temporary,
            place: &directories.at(Directories::EMPTY),
            confinement: &self.confinement,
            given: directories.given(),
            limit,
            deadline: Instant::now() + limit,
            bounds: self.bounds(),
            written: 0,
            log,
        };
        workshop.given.push(Given::writable(source.root()));
        let build = OneBuild { tools, recipe: &*recipe, place: &place, version: &version, limit };
        let made = self.made(&build, &directories, &mut workshop).await;
        self.bound_tools(tools, limit).await;
        let image = self.assemble(recipe.form(), made?, digest, &key.tag()).await?;
        self.tell(&image, told(Seen::Built), log).await;
        Ok(reference(&image, &recipe.form()))
    }

    /// Carries the recipe out.
    async fn made(
        &self,
        build: &OneBuild<'_>,
        directories: &Directories,
        workshop: &mut LocalWorkshop<'_>,
    ) -> Result<Vec<selvedge_buildpack::image::Part>, BuildError> {
        let home = directories.at(Directories::HOME);
        let BuildTools { toolchain, given } = build.tools.for_build(&home).map_err(unusable)?;
        workshop.given.extend(given);
        let fetched = directories.at(Directories::FETCHED);
        let toolchain = build.fetched(toolchain, &fetched, workshop).await?;
        let limit = self.tools_limit();
        let mirror = Mirrored::beside(build.recipe, build.tools, limit, build.limit).await;
        let toolchain = match &mirror {
            Some(mirror) => mirror.asking(&toolchain).await.map_err(unusable)?,
            None => toolchain,
        };
        let made = carry_out(build.recipe, &toolchain, build.place, workshop).await;
        if let Some(mirror) = mirror.filter(|_| made.is_ok()) {
            mirror.note().await;
        }
        made.map_err(failed)
    }

    fn tools(&self, language: Language) -> &Tools {
        let found = self.tools.iter().find(|tools| tools.language == language);
        found.expect("there are some for every language")
    }

    fn tools_limit(&self) -> u64 {
        self.configuration.now().builds().tools_limit.as_u64()
    }

    /// What a build may take of this machine.
    fn bounds(&self) -> Bounds {
        let operator = self.configuration.now();
        let builds = operator.builds();
        let memory = builds.memory_limit.map_or_else(Bounds::usual_memory, |limit| limit.as_u64());
        Bounds { memory, disk: builds.disk_bytes() }
    }

    /// Has a language's tools keep no more than they may. For whose turn it is to build.
    async fn bound_tools(&self, tools: &Tools, time: Duration) {
        let (language, limit, own) = (tools.language, self.tools_limit(), tools.own().to_owned());
        match spawn_blocking(move || bound(language, &own, limit, time)).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(bytes)) => {
                info!(%language, bytes, limit, "what the tools kept for other builds is gone");
            }
            Ok(Err(error)) => warn!(%language, %error, "cannot remove what the tools keep"),
        }
    }
}

/// Removes what is kept beyond the limit; how many bytes went.
fn bound(language: Language, own: &Path, limit: u64, time: Duration) -> io::Result<u64> {
    if language.runs_packages() {
        let since = SystemTime::now() - time - IN_USE;
        return Dependencies::at(own, "").bound(limit, since).map(|extent| extent.freed);
    }
    tool_files::bound(own, limit).map(Option::unwrap_or_default)
}

/// What is built, and with what.
struct OneBuild<'a> {
    tools: &'a Tools,
    recipe: &'a dyn Recipe,
    place: &'a Workplace<'a>,
    version: &'a str,
    limit: Duration,
}

impl OneBuild<'_> {
    /// Fetches what the source depends on into what builds share, where that can be done without
    /// running anything of it; the tools as they find it.
    async fn fetched(
        &self,
        toolchain: Toolchain,
        own: &Path,
        workshop: &mut LocalWorkshop<'_>,
    ) -> Result<Toolchain, BuildError> {
        // Others put it where builds share it by themselves.
        let Some(fetch) = self.recipe.fetch().filter(|_| self.tools.language.runs_packages())
        else {
            return Ok(toolchain);
        };
        let shared = Dependencies::at(self.tools.own(), self.version);
        let given = workshop.given.clone();
        workshop.given.push(Given::writable(self.tools.own()));
        let fetched = fetch_ahead(self.recipe, &toolchain, self.place, &shared, workshop).await;
        workshop.given = given;
        fetched.map_err(failed)?;
        fetch.drawing(&toolchain, self.place, &shared, own).map_err(unusable)
    }
}

fn failed(failure: BuildFailure<BuildError>) -> BuildError {
    match failure {
        BuildFailure::Place(error) => unusable(error),
        BuildFailure::Workshop(error) => error,
        BuildFailure::Compile(errors) => BuildError::Compile(errors),
        BuildFailure::Refused(refusal) => refused(refusal),
    }
}

fn unusable(error: io::Error) -> BuildError {
    BuildError::Image(error.into())
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> BuildError {
    BuildError::Source(error.into())
}

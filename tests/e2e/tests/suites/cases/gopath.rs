//! Go as from a GOPATH: what the `peer` CLI makes of code that lies in one, or that is named by its
//! import path. The package has no `go.mod`, and all that the code needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crafted::Crafted;
use e2e::{Op, Turn};
use testbed::{Definition, Packaging};

use super::workshop::{ANSWERS, PATH, PROGRAM, Workshop, metadata, said};
use super::{STAGE, the_build_refuses};

const ANSWER: &str = "package main\n\nfunc answer() string { return \"42\" }\n";

/// Packages with the real CLI, which stands in `directory`.
fn packaged(
    turn: &Turn<'_>,
    directory: &Path,
    path: &str,
    label: &str,
    environment: Vec<(&'static str, String)>,
) -> PathBuf {
    let file = turn.network.dir().join(format!("{label}.tar.gz"));
    let packaging =
        Packaging { language: "golang", path, directory, environment, label, file: &file };
    turn.peer().package(&packaging).unwrap_or_else(|error| panic!("{error}"));
    file
}

/// What the chaincode of a package answers, of which `inspect` sees that it has no module.
fn answer(turn: &Turn<'_>, workshop: &Workshop, package: &Path, name: &str) -> String {
    let inspected = workshop.inspect(package);
    inspected.is_fine(&[&format!("src/{PATH}/main.go")]);
    assert!(!inspected.stdout.contains("go.mod"), "{inspected:?}");
    turn.network.deploy(package, &Definition::new(name)).unwrap_or_else(|error| panic!("{error}"));
    turn.gateway(name).call(Op::Evaluate, &["Anything"]).unwrap()
}

/// With dependencies in `vendor`, a package of the same GOPATH, and C.
#[test]
fn code_that_lies_in_a_gopath() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let own = format!("gopath/src/{PATH}");
    let directory = workshop.source(&own, &[("main.go", ANSWERS)]);
    let vendored = said(Command::new("go").args(["mod", "vendor"]).current_dir(&directory));
    assert_eq!(vendored.code, Some(0), "{vendored:?}");
    let twice = "package main\n\n// static int twice(int n) { return 2 * n; }\nimport \"C\"\n\n\
                 func answer() string { return lib.Text(int(C.twice(21))) }\n";
    let twice =
        twice.replace("import \"C\"\n", "import \"C\"\n\nimport \"selvedge.example/lib\"\n");
    fs::write(directory.join("answer.go"), twice).unwrap();
    let lib = workshop.path("gopath/src/selvedge.example/lib");
    fs::create_dir(&lib).unwrap();
    let text = "package lib\n\nimport \"strconv\"\n\n\
                func Text(n int) string { return strconv.Itoa(n) }\n";
    fs::write(lib.join("lib.go"), text).unwrap();

    let gopath = workshop.path("gopath");
    let environment =
        vec![("GO111MODULE", "off".to_owned()), ("GOPATH", gopath.to_string_lossy().into_owned())];
    let package = packaged(&turn, &gopath, PATH, "gopath_1.0", environment);
    assert_eq!(answer(&turn, &workshop, &package, "gopath"), "42");
}

/// As Fabric's own suites do with their chaincode.
#[test]
fn code_that_is_named_by_its_import_path() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let module = workshop.source("module", &[("main.go", ANSWERS), ("answer.go", ANSWER)]);
    let package = packaged(&turn, &module, PATH, "by-path_1.0", Vec::new());
    assert_eq!(answer(&turn, &workshop, &package, "by-path"), "42");
}

#[test]
fn a_package_of_the_gopath_that_is_no_program() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let library = "package lib\n\nconst Name = \"lib\"\n";
    let module = workshop.source("library", &[("main.go", PROGRAM), ("lib/lib.go", library)]);
    let package = packaged(&turn, &module, &format!("{PATH}/lib"), "lib_1.0", Vec::new());
    let reason = [&format!("src/{PATH}/lib is not a main package but `package lib`")[..]];
    workshop.inspect(&package).refuses(&reason);
    the_build_refuses(&turn, &package, &reason);
}

#[test]
fn a_path_that_the_gopath_does_not_have() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let code = [Crafted::file("src/selvedge.example/other/main.go", PROGRAM)];
    let package = workshop.crafted("nowhere", crafted::package(&metadata("nowhere_1.0"), code));
    let nowhere = format!("nor a Go file in src/{PATH};");
    let reason = [&format!("no package `{PATH}`")[..], &nowhere];
    workshop.inspect(&package).refuses(&reason);
    the_build_refuses(&turn, &package, &reason);
}

/// Nothing is fetched: what the package lacks is named, and not where it was looked for.
#[test]
fn what_the_gopath_lacks() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let main = "package main\n\nimport _ \"example.com/missing\"\n\nfunc main() {}\n";
    let code = [Crafted::file(&format!("src/{PATH}/main.go"), main)];
    let package = workshop.crafted("lacks", crafted::package(&metadata("lacks_1.0"), code));
    let missing = "main.go:3:8: cannot find package \"example.com/missing\" in any of:";
    for reason in [missing, "the package was made as from a GOPATH"] {
        workshop.inspect(&package).refuses(&[reason]);
    }
    the_build_refuses(&turn, &package, &[missing]);
}

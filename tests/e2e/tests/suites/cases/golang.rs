//! Go as people write it: what they embed, how they name their packages, C, programs in `cmd/`.

use crafted::Crafted;
use e2e::{Op, Turn};
use testbed::Definition;

use super::workshop::{ANSWERS, PATH, PROGRAM, Workshop, metadata};
use super::{STAGE, the_build_refuses};

const INDEX: &str = r#"{"index":{"fields":["owner"]},"ddoc":"d","name":"owner","type":"json"}"#;

/// What the chaincode answers that `selvedge package` made of the source.
fn answer(turn: &Turn<'_>, workshop: &Workshop, source: &str, name: &str) -> String {
    let (package, _) = workshop.package(source, &format!("{name}_1.0"));
    let definition = Definition::new(name);
    turn.network.deploy(&package, &definition).unwrap_or_else(|error| panic!("{error}"));
    turn.gateway(name).call(Op::Evaluate, &["Anything"]).unwrap()
}

/// Of hidden files, what the code embeds goes into the package and into the program.
#[test]
fn hidden_files_that_code_embeds() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let direct = "package main\n\nimport _ \"embed\"\n\n//go:embed .defaults.json\n\
                  var defaults string\n\nfunc answer() string { return defaults }\n";
    let all = r#"package main

import (
	"embed"
	"strings"
)

//go:embed all:templates
var templates embed.FS

func answer() string {
	entries, _ := templates.ReadDir("templates")
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, " ")
}
"#;
    let files = [("main.go", ANSWERS), ("a.go", direct), (".defaults.json", r#"{"a":1}"#)];
    workshop.source("direct", &files);
    assert_eq!(answer(&turn, &workshop, "direct", "direct"), r#"{"a":1}"#);
    let files = ["templates/.note.txt", "templates/_base.txt", "templates/plain.txt"];
    let files = files.map(|name| (name, name));
    workshop.source("all", &[("main.go", ANSWERS), ("a.go", all)]);
    workshop.source("all", &files);
    assert_eq!(answer(&turn, &workshop, "all", "all"), ".note.txt _base.txt plain.txt");
}

/// Fabric's own builder makes an archive of such a package, which nobody can start.
#[test]
fn a_package_named_after_its_directory() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let library = "package asset\n\nfunc main() {}\n";
    let generator = "//go:build ignore\n\n// By hand.\npackage main\n\nfunc main() {}\n";
    let reason = ["is not a main package", "`package asset`", "name it `package main`"];
    workshop.source("plain", &[("asset.go", library)]);
    workshop.source("generator", &[("asset.go", library), ("generate.go", generator)]);
    for source in ["plain", "generator"] {
        workshop.selvedge(&["package", source, "-l", "a_1.0"]).refuses(&reason);
    }
    let go_mod = format!("module {PATH}\n");
    let code = [
        Crafted::file("src/go.mod", go_mod),
        Crafted::file("src/asset.go", library),
        Crafted::file("src/generate.go", generator),
    ];
    let package = workshop.crafted("hand", crafted::package(&metadata("library_1.0"), code));
    workshop.inspect(&package).refuses(&[&["by Selvedge"], &reason[..]].concat());
    the_build_refuses(&turn, &package, &reason);
}

/// Go passes over files that import "C", those of a whole package too, and complains of what they
/// declare. As with Fabric's own builder, the program needs no library where it runs.
#[test]
fn code_with_c_in_it() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let answer_go = format!(
        "package main\n\nimport (\n\t\"fmt\"\n\n\t\"{PATH}/deep\"\n)\n\n\
         func answer() string {{ return fmt.Sprint(twice(10) + deep.Twice(11)) }}\n"
    );
    let twice = "package main\n\n// static int twice(int n) { return 2 * n; }\nimport \"C\"\n\n\
                 func twice(n int) int { return int(C.twice(C.int(n))) }\n";
    let deep = twice.replace("package main", "package deep").replace("func twice", "func Twice");
    let files = [("answer.go", answer_go.as_str()), ("twice.go", twice), ("deep/deep.go", &deep)];
    workshop.source("c", &[("main.go", ANSWERS)]);
    workshop.source("c", &files);
    assert_eq!(answer(&turn, &workshop, "c", "c"), "42");
}

/// The compiler would read files of the machine that builds.
#[test]
fn a_replacement_by_a_directory_of_the_machine() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let go_mod = format!("module {PATH}\nreplace example.com/x => /usr/src\n");
    let code = [Crafted::file("src/go.mod", go_mod), Crafted::file("src/main.go", PROGRAM)];
    let package = workshop.crafted("replace", crafted::package(&metadata("replace_1.0"), code));
    let reason = ["src/go.mod replaces a module by the directory /usr/src", "go mod vendor"];
    workshop.inspect(&package).refuses(&reason);
    the_build_refuses(&turn, &package, &reason);
}

/// As Fabric has it, META-INF counts beside the main package alone. Nobody else says so.
#[test]
fn a_program_in_cmd_and_indexes_elsewhere() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let answer_go = format!(
        "package main\n\nimport \"{PATH}/lib\"\n\nfunc answer() string {{ return lib.Name }}\n"
    );
    workshop.source(
        "fleet",
        &[
            ("lib/lib.go", "package lib\n\nconst Name = \"fleet\"\n"),
            ("cmd/asset/main.go", ANSWERS),
            ("cmd/asset/answer.go", &answer_go),
            ("cmd/tool/main.go", PROGRAM),
            ("META-INF/statedb/couchdb/indexes/owner.json", INDEX),
            ("metadata/statedb/couchdb/indexes/size.json", INDEX),
        ],
    );
    let (_, told) = workshop.package("fleet/cmd/asset", "fleet_0.9");
    for part in [
        "selvedge.example/case/cmd/asset",
        "META-INF/statedb/couchdb/indexes/owner.json becomes no index",
        "metadata/statedb/couchdb/indexes/size.json becomes no index",
    ] {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    assert_eq!(answer(&turn, &workshop, "fleet/cmd/asset", "fleet"), "fleet");
}

//! Go as from a GOPATH, in the cluster: a package of the real `peer` CLI, without a `go.mod`, and with
//! all that the code needs.

use std::fs;

use e2e::Op;
use testbed::{Definition, Packaging};

use crate::shared::{LIMIT, MSP_ID, gateway, on_fabric, one};

const PATH: &str = "selvedge.example/gopath";

const MAIN: &str = "package main\n\nimport (\n\t\"os\"\n\n\t\"selvedge.example/lib\"\n)\n\n\
     func main() {\n\tprintln(\"of a GOPATH:\", lib.Twice(21))\n\tos.Exit(3)\n}\n";

const LIB: &str = "package lib\n\nfunc Twice(n int) int { return 2 * n }\n";

#[test]
fn code_that_lies_in_a_gopath_is_built() {
    on_fabric(&one("gopath"), async |_, fabric| {
        let peer = fabric.peer(MSP_ID);
        let gopath = fabric.network().dir().join("gopath");
        for (file, text) in [("gopath/main.go", MAIN), ("lib/lib.go", LIB)] {
            let file = gopath.join("src/selvedge.example").join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let file = fabric.network().dir().join("gopath_1.0.tar.gz");
        let environment = vec![
            ("GO111MODULE", "off".to_owned()),
            ("GOPATH", gopath.to_string_lossy().into_owned()),
        ];
        let packaging = Packaging {
            language: "golang",
            path: PATH,
            directory: &gopath,
            environment,
            label: "gopath_1.0",
            file: &file,
        };
        peer.package(&packaging).unwrap();
        let package_id = peer.install(&file).unwrap();
        let definition = Definition::new("gopath");
        peer.approve(&package_id, &definition).unwrap();
        peer.commit(&definition).unwrap();
        gateway(fabric, peer, "gopath").call(Op::Evaluate, &["Get", "k"]).unwrap_err();
        peer.await_line("peer", &["of a GOPATH: 42"], LIMIT).await.unwrap();
    });
}

//! Holds the generated code to the `.proto` files: writes it anew, and fails when it had changed.

use std::fs;
use std::path::Path;

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fresh = std::env::temp_dir().join(format!("selvedge-proto-{}", std::process::id()));
    fs::create_dir_all(&fresh).expect("temporary directory");

    let descriptors = protox::compile(
        ["fabric/chaincode_shim.proto", "selvedge/launcher/v1/launcher.proto"],
        [root.join("protos")],
    )
    .expect("the .proto files compile");
    tonic_prost_build::configure()
        .out_dir(&fresh)
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .build_transport(false)
        .compile_fds(descriptors)
        .expect("code is generated");

    let mut stale = Vec::new();
    for name in ["protos.rs", "selvedge.launcher.v1.rs"] {
        let new = fs::read(fresh.join(name)).expect("generated file");
        let path = root.join("src/generated").join(name);
        if fs::read(&path).unwrap_or_default() != new {
            fs::write(&path, new).expect("write the generated file");
            stale.push(path);
        }
    }
    fs::remove_dir_all(&fresh).expect("remove the temporary directory");
    assert!(stale.is_empty(), "stale, now written anew, commit them: {stale:?}");
}

//! Packages that name an image, where none is run: the peer's log says what they need.

use super::workshop::Workshop;
use super::{STAGE, the_build_refuses};

const METADATA: &str = r#"{"type":"k8s","label":"contract_1.0"}"#;

#[test]
fn processes_run_no_image_that_somebody_else_made() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let digest = format!("sha256:{}", "0".repeat(64));
    let image =
        |json: &str| crafted::package(METADATA, [crafted::Crafted::file("image.json", json)]);
    assert_eq!(workshop.detect(METADATA), Some(0));

    let named = format!(r#"{{"name":"ghcr.io/asset","digest":"{digest}"}}"#);
    let package = workshop.crafted("contract", image(&named));
    workshop
        .inspect(&package)
        .is_fine(&["image       ghcr.io/asset@", "nothing speaks against it"]);
    let reason = ["packages of type k8s need the kubernetes backend", "ghcr.io/asset@"];
    the_build_refuses(&turn, &package, &reason);

    let package = workshop.crafted("tag", image(r#"{"name":"ghcr.io/asset","digest":"1.0"}"#));
    let reason = "image.json has the tag 1.0 as its `digest`";
    the_build_refuses(&turn, &package, &[reason]);
}

//! Packages that name an image which nobody has: the peer's log says so.

use super::workshop::Workshop;
use super::{STAGE, the_build_refuses};

const METADATA: &str = r#"{"type":"k8s","label":"contract_1.0"}"#;

#[test]
fn an_image_that_nobody_has_is_told_of_by_name() {
    let (workshop, turn) = (Workshop::new(), STAGE.enter());
    let digest = format!("sha256:{}", "0".repeat(64));
    let image =
        |json: &str| crafted::package(METADATA, [crafted::Crafted::file("image.json", json)]);
    assert_eq!(workshop.detect(METADATA), Some(0));

    // Nobody listens there.
    let named = format!(r#"{{"name":"127.0.0.1:1/asset","digest":"{digest}"}}"#);
    let package = workshop.crafted("contract", image(&named));
    workshop
        .inspect(&package)
        .is_fine(&["image       127.0.0.1:1/asset@", "nothing speaks against it"]);
    let reason = ["127.0.0.1:1/asset@", "cannot be had: the registry 127.0.0.1:1 does not give it"];
    the_build_refuses(&turn, &package, &reason);

    let package = workshop.crafted("tag", image(r#"{"name":"ghcr.io/asset","digest":"1.0"}"#));
    let reason = "image.json has the tag 1.0 as its `digest`";
    the_build_refuses(&turn, &package, &[reason]);
}

//! What is told of images, kept beside them.

use selvedge_buildpack::image::ReferrerKind;

use super::*;

/// Tells of the specimen in its layout; the manifests.
fn tell(specimen: &Specimen, text: &str) -> Vec<Descriptor> {
    let tell = |kind| specimen.images.refer(&specimen.image, kind, text.as_bytes()).unwrap();
    ReferrerKind::ALL.map(tell).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_an_image_lies_beside_it_and_once() {
    let server = TemporaryRegistry::start(Access::Open);
    let registry = anonymous(server.host());
    let specimen = Specimen::new("#!program\n");
    registry.push(&specimen.images, &specimen.image, &tag()).await.unwrap();
    assert_eq!(registry.referrers(specimen.digest).await.unwrap(), []);

    let told = tell(&specimen, "{\"told\":1}");
    for _ in 0..2 {
        registry.refer(&specimen.images, specimen.digest, &told).await.unwrap();
        let found = registry.referrers(specimen.digest).await.unwrap();
        let kinds: Vec<_> = found.iter().map(|referrer| referrer.kind).collect();
        assert_eq!(kinds, ReferrerKind::ALL);
    }
    // The image is what it was, and others have nothing told of them.
    assert_eq!(registry.find(&tag()).await.unwrap(), Some(specimen.digest));
    assert_eq!(registry.referrers(Sha256::of(b"another")).await.unwrap(), []);

    // As other tools find it where a registry lists nothing: this is such a one.
    let name = format!("{}/selvedge/chaincode:sha256-{}", server.host(), specimen.digest.hex());
    let index: serde_json::Value = serde_json::from_str(&crane(&["manifest", &name])).unwrap();
    let listed = index["manifests"].as_array().unwrap();
    assert_eq!(listed.len(), 2, "{index}");
    for (listed, manifest) in listed.iter().zip(&told) {
        assert_eq!(listed["digest"], manifest.digest().to_string());
        let kind = manifest.artifact_type().as_ref().unwrap().to_string();
        assert_eq!(listed["artifactType"], kind);
        let name = format!("{}/selvedge/chaincode@{}", server.host(), manifest.digest());
        assert!(crane(&["manifest", &name]).contains(&specimen.digest.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_push_may_tell_of_it() {
    let server = TemporaryRegistry::start(Access::Password);
    let auth = RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned());
    let good = registry(server.host(), true, auth);
    let specimen = Specimen::new("#!program\n");
    let told = tell(&specimen, "{\"told\":1}");
    good.push(&specimen.images, &specimen.image, &tag()).await.unwrap();
    good.refer(&specimen.images, specimen.digest, &told).await.unwrap();
    assert_eq!(good.referrers(specimen.digest).await.unwrap().len(), 2);

    let refused = anonymous(server.host());
    let error = line(refused.refer(&specimen.images, specimen.digest, &told).await.unwrap_err());
    assert!(error.contains("refused the credentials"), "{error}");
    let error = line(refused.referrers(specimen.digest).await.unwrap_err());
    assert!(error.contains("does not accept who asks (401 Unauthorized)"), "{error}");
}

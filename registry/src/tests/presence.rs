//! What a registry says of images that somebody else made.

use selvedge_buildpack::image::CHAINCODE_PROGRAM;
use serde_json::json;

use super::broken::{endless, endless_but, with_tokens};
use super::*;
use crate::{Presence, command, look_up};

async fn seen(image: &str) -> Result<Presence, String> {
    let found = look_up(&image.parse().unwrap(), true, &RegistryAuth::Anonymous).await;
    found.map_err(line)
}

/// What the image has a container run.
async fn runs(image: &str) -> Vec<String> {
    let (image, platform) = (image.parse().unwrap(), Platform::LinuxArm64);
    let command = command(&image, platform, true, &RegistryAuth::Anonymous).await.unwrap();
    command.map(|command| [command.entrypoint, command.cmd].concat()).unwrap_or_default()
}

/// The platforms that the image is for, of those that Selvedge knows.
async fn platforms(image: &str) -> Vec<Platform> {
    match seen(image).await.unwrap() {
        Presence::For(platforms) => [Platform::LinuxAmd64, Platform::LinuxArm64]
            .into_iter()
            .filter(|known| platforms.iter().any(|platform| platform.is(*known)))
            .collect(),
        other => panic!("{other:?} instead of platforms"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_says_what_it_is_for_and_several_in_one_do() {
    let server = TemporaryRegistry::start(Access::Open);
    let registry = anonymous(server.host());
    let repository = format!("{}/selvedge/chaincode", server.host());
    let mut names = Vec::new();
    for (tag, platform) in [("amd", Platform::LinuxAmd64), ("arm", Platform::LinuxArm64)] {
        let specimen = Specimen::of("#!program\n", platform);
        registry.push(&specimen.images, &specimen.image, &tag.parse().unwrap()).await.unwrap();
        let name = format!("{repository}@{}", specimen.digest);
        assert_eq!(platforms(&name).await, [platform]);
        assert_eq!(runs(&name).await, [CHAINCODE_PROGRAM]);
        names.push(name);
    }
    for arguments in [&["--docker-empty-base"][..], &[]] {
        let both = format!("{repository}:both");
        let parts = ["index", "append", "-m", &names[0], "-m", &names[1], "-t", &both];
        crane(&[&parts[..], arguments].concat());
        let both = format!("{repository}@{}", crane(&["digest", &both]));
        assert_eq!(platforms(&both).await, [Platform::LinuxAmd64, Platform::LinuxArm64]);
        assert_eq!(runs(&both).await, [CHAINCODE_PROGRAM]);
    }
    let amd = format!("{repository}:one");
    crane(&["index", "append", "-m", &names[0], "-t", &amd, "--docker-empty-base"]);
    assert_eq!(runs(&amd).await, [""; 0], "it has none for the platform");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_missing_and_who_does_not_answer_says_nothing() {
    let mut server = TemporaryRegistry::start(Access::Open);
    let specimen = Specimen::new("#!program\n");
    anonymous(server.host()).push(&specimen.images, &specimen.image, &tag()).await.unwrap();
    let absent = Sha256::of(b"absent");
    for name in [
        format!("{}/selvedge/chaincode@{absent}", server.host()),
        format!("{}/no/such/repository@{}", server.host(), specimen.digest),
    ] {
        assert_eq!(seen(&name).await, Ok(Presence::Missing), "{name}");
    }
    let there = format!("{}/selvedge/chaincode@{}", server.host(), specimen.digest);
    server.stop();
    let told = seen(&there).await.unwrap_err();
    assert!(told.starts_with(&format!("the registry {} does not tell: ", server.host())), "{told}");

    let guarded = TemporaryRegistry::start(Access::Password);
    let told = seen(&there.replace(server.host(), guarded.host())).await.unwrap_err();
    assert!(told.contains("does not tell: "), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Ok(Presence::ForAny)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", Err("does not tell: ")),
        ("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", Err("does not tell: ")),
        ("", Err("does not tell: ")),
    ] {
        let server = broken(answer).await;
        // A tag: of a digest the client checks that it is the answer's.
        let found = seen(&format!("{}/asset:1.0", server.host)).await;
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(*found, expected),
            (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
            (found, _) => panic!("{answer}: {found:?}"),
        }
    }
}

/// A registry that never stops sending, whatever it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_read_to_an_end_that_it_does_not_have() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let manifest = endless(chunked).await;
    let told = seen(&format!("{}/asset:1.0", manifest.host)).await.unwrap_err();
    assert!(told.contains("sends more than"), "{told}");

    // A token.
    let challenge = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{}/token\"\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n",
        manifest.host
    );
    let guarded = broken(&challenge).await;
    let told = seen(&format!("{}/asset:1.0", guarded.host)).await.unwrap_err();
    assert!(told.contains("sends more than"), "{told}");

    // A configuration.
    let document = json!({ "config": { "digest": Sha256::of(b"config").to_string() } });
    let config = endless_but(chunked, "/manifests/", &document.to_string()).await;
    let told = seen(&format!("{}/asset:1.0", config.host)).await.unwrap_err();
    assert!(told.contains("sends more than"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_where_a_registry_wants_one() {
    let server = with_tokens("user", "pass:word", "{}").await;
    let image = format!("{}/asset:1.0", server.host).parse().unwrap();
    let basic = |password: &str| RegistryAuth::Basic("user".to_owned(), password.to_owned());
    let seen = look_up(&image, true, &basic("pass:word")).await;
    assert_eq!(seen.unwrap(), Presence::ForAny);
    // Who has none is told so, and the password reaches no text.
    let told = line(look_up(&image, true, &basic("secret")).await.unwrap_err());
    assert!(told.contains("does not accept who asks") && !told.contains("secret"), "{told}");
    let token = RegistryAuth::Bearer("a-token".to_owned());
    assert_eq!(look_up(&image, true, &token).await.unwrap(), Presence::ForAny);
}

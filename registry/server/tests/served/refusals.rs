//! Who asks for what is not theirs, lies, or makes no sense.

use reqwest::{Method, StatusCode};
use selvedge_buildpack::digest::Sha256;
use selvedge_registry_server::Rights;

use crate::served::{IMAGE, NAME, PLENTY, Served, code, manifest, told};

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_the_password() {
    let served = Served::new(PLENTY).await;
    served.push_image(b"layer", "one").await;
    for path in ["/v2/", "/v2/selvedge/chaincode/manifests/one", "/v2/other/tags/list", "/"] {
        let url = format!("http://{}{path}", served.host);
        for user in [None, Some(served.login.user), Some("another")] {
            let mut asked = served.http.get(&url);
            if let Some(user) = user {
                asked = asked.basic_auth(user, Some("guessed"));
            }
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.headers()["www-authenticate"], "Basic realm=\"selvedge\"");
            let expected = (StatusCode::UNAUTHORIZED, "UNAUTHORIZED".to_owned());
            assert_eq!(code(answer).await, expected, "{path} {user:?}");
        }
        let bearer = served.http.get(&url).bearer_auth(&served.login.password);
        assert_eq!(bearer.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

/// What nodes reach has no way to write, whatever is known.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_pull_cannot_push() {
    let pushed = Served::new(PLENTY).await;
    pushed.push_image(b"layer", "one").await;
    let served = Served::of(pushed.store.clone(), Rights::Pull).await;
    let before = served.get("tags/list").await.text().await.unwrap();
    let upload = pushed.begin().await;
    let upload = upload.strip_prefix(&format!("/v2/{NAME}/")).unwrap();
    let blob = format!("blobs/{}", Sha256::of(b"layer"));
    for (method, path) in [
        (Method::POST, "blobs/uploads/"),
        (Method::PATCH, upload),
        (Method::PUT, upload),
        (Method::GET, upload),
        (Method::DELETE, upload),
        (Method::PUT, "manifests/two"),
        (Method::DELETE, "manifests/one"),
        (Method::DELETE, &blob),
    ] {
        let (status, code) = code(served.ask(method.clone(), path).send().await.unwrap()).await;
        let refused = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        assert!(refused.contains(&status), "{method} {path}: {status} {code}");
    }
    assert_eq!(served.get("tags/list").await.text().await.unwrap(), before);
    assert!(pushed.get(upload).await.status().is_success(), "somebody ended the upload");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_by_request() {
    let served = Served::new(PLENTY).await;
    let image = served.push_image(b"layer", "one").await;
    let blob = format!("blobs/{}", Sha256::of(b"layer"));
    for path in ["manifests/one", &format!("manifests/{image}"), &blob] {
        let answer = served.ask(Method::DELETE, path).send().await.unwrap();
        let expected = (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED".to_owned());
        assert_eq!(code(answer).await, expected, "{path}");
    }
    assert!(served.has_image(image, b"layer").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_a_digest() {
    let served = Served::new(PLENTY).await;
    let said = Sha256::of(b"blob");
    let path = format!("blobs/uploads/?digest={said}");
    let answer = served.ask(Method::POST, &path).body("another").send().await.unwrap();
    let (status, sent) = (answer.status(), Sha256::of(b"another"));
    let lie = format!("what was sent has the digest {sent}, and not {said}");
    assert_eq!(
        (status, told(answer).await),
        (StatusCode::BAD_REQUEST, ("DIGEST_INVALID".to_owned(), lie))
    );

    let upload = served.begin().await;
    let path = format!("{upload}?digest={said}");
    let answer = served.ask_at(Method::PUT, &path).body("another").send().await.unwrap();
    assert_eq!(code(answer).await, (StatusCode::BAD_REQUEST, "DIGEST_INVALID".to_owned()));
    // Nothing of it is left.
    let unknown = (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN".to_owned());
    let status = served.ask_at(Method::GET, &upload).send().await.unwrap();
    assert_eq!(code(status).await, unknown);
    for digest in [said, sent] {
        let answer = served.get(&format!("blobs/{digest}")).await;
        assert_eq!(code(answer).await, (StatusCode::NOT_FOUND, "BLOB_UNKNOWN".to_owned()));
    }
    let path = format!("manifests/{said}");
    let put = served.ask(Method::PUT, &path).header("content-type", IMAGE).body("{}");
    let expected = (StatusCode::BAD_REQUEST, "DIGEST_INVALID".to_owned());
    assert_eq!(code(put.send().await.unwrap()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_what_is_not_there() {
    let served = Served::new(PLENTY).await;
    let put = async |manifest: String, kind: &str| {
        let put = served.ask(Method::PUT, "manifests/one").header("content-type", kind);
        code(put.body(manifest).send().await.unwrap()).await
    };
    let unknown = (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN".to_owned());
    assert_eq!(put(manifest("{}", b"layer"), IMAGE).await, unknown);
    served.push(b"{}").await;
    assert_eq!(put(manifest("{}", b"layer"), IMAGE).await, unknown);
    served.push(b"layer").await;
    // Of another size than it says.
    let shorter = manifest("{}", b"layer").replace("\"size\":5", "\"size\":4");
    assert_eq!(put(shorter, IMAGE).await, unknown);
    let index = "application/vnd.oci.image.index.v1+json";
    let several = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{IMAGE}","digest":"{}","size":1}}]}}"#,
        Sha256::of(b"image")
    );
    assert_eq!(put(several, index).await, unknown);

    let invalid = (StatusCode::BAD_REQUEST, "MANIFEST_INVALID".to_owned());
    assert_eq!(put("{}".to_owned(), IMAGE).await, invalid);
    assert_eq!(put(manifest("{}", b"layer"), "text/html").await, invalid);
    let large = (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID".to_owned());
    assert_eq!(put(" ".repeat((4 << 20) + 1), IMAGE).await, large);
    assert!(served.get("tags/list").await.text().await.unwrap().contains("\"tags\":[]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_lead_elsewhere() {
    let served = Served::new(PLENTY).await;
    for path in [
        "blobs/sha256:..%2f..%2findex.json",
        "blobs/..%2f..%2foci-layout",
        "manifests/..%2findex.json",
        "manifests/%2e%2e",
        "blobs/uploads/..%2foci-layout",
        "blobs/uploads/00",
        "referrers/none",
    ] {
        let (status, code) = code(served.get(path).await).await;
        assert!(status.is_client_error(), "{path}: {status} {code}");
    }
    for path in ["/v2/another/name/tags/list", "/v2/selvedge/tags/list", "/v2/_catalog", "/v1/"] {
        let answer = served.ask_at(Method::GET, path).send().await.unwrap();
        assert_eq!(
            code(answer).await,
            (StatusCode::NOT_FOUND, "NAME_UNKNOWN".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_make_no_sense() {
    let served = Served::new(PLENTY).await;
    for range in ["a-b", "0", "0-9", "bytes", ""] {
        let upload = served.begin().await;
        let part =
            served.ask_at(Method::PATCH, &upload).header("content-range", range).body("four");
        let expected = (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID".to_owned());
        assert_eq!(code(part.send().await.unwrap()).await, expected, "{range}");
    }
}

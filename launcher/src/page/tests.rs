use axum::http::{HeaderMap, Method};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::opening::{self, Opening};

struct Scene {
    router: Router,
    seen: Seen,
    _opening: Opening,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Scene {
    fn new() -> Self {
        let (opening, entrance) = opening::begin();
        let configuration = Configuration::of("apiVersion: selvedge/v1\n");
        let (running, seen) = (Running::default(), Seen::default());
        let histories = Histories::default();
        let parts = Parts { entrance, configuration, running, seen: seen.clone(), histories };
        let page = Page { address: None, hosts: vec!["selvedge.example.org".to_owned()] };
        let router = router(Shown(Arc::new(parts)), &page);
        Self { router, seen, _opening: opening }
    }

    async fn asked(&self, method: Method, host: &str, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::HOST, host);
        let request = request.body(Body::empty()).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.asked(Method::GET, "127.0.0.1:8088", path).await
    }
}

#[tokio::test]
async fn whatever_is_answered_comes_with_the_policy() {
    let scene = Scene::new();
    for path in ["/", "/page.js", "/page.css", "/icon.svg", "/api/status", "/nothing", "/api/log"] {
        let Answer { headers, .. } = scene.get(path).await;
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
    }
    // What the policy would not let run, the page has not.
    let page = scene.get("/").await.body;
    for inline in ["<style", "style=", " onload=", " onclick=", "javascript:"] {
        assert!(!page.contains(inline), "{inline}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    let script = scene.get("/page.js").await.body;
    for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!script.contains(markup), "{markup}");
    }
}

#[tokio::test]
async fn who_was_led_here_by_another_name_gets_nothing() {
    let scene = Scene::new();
    for path in ["/", "/api/status"] {
        let answer = scene.asked(Method::GET, "rebound.example:8088", path).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
        assert!(answer.body.contains("page.hosts"), "{}", answer.body);
        for host in ["localhost:8088", "[::1]:8088", "selvedge.example.org"] {
            let answer = scene.asked(Method::GET, host, path).await;
            assert_eq!(answer.status, StatusCode::OK, "{host}");
        }
    }
}

#[tokio::test]
async fn nothing_can_be_changed() {
    let scene = Scene::new();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/", "/api/status", "/api/log"] {
            let answer = scene.asked(method.clone(), "localhost", path).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn lines_are_data_and_are_read_on_from_the_last() {
    let scene = Scene::new();
    let (log, replica) = (scene.seen.logs.of("", "basic_1.0:ab"), "replica-0".into());
    let markup = "<script>alert(1)</script>";
    log.push(&replica, markup);
    log.push(&"".into(), "it ended");
    let answer = scene.get("/api/log?chaincode=basic_1.0%3Aab").await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(told["lines"][0]["text"], markup);
    assert_eq!((&told["next"], &told["is_all"]), (&json!(2), &json!(true)));
    log.push(&replica, "once more");
    let texts = |body: &str| {
        let told: Value = serde_json::from_str(body).unwrap();
        let lines = told["lines"].as_array().unwrap().clone();
        lines.into_iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let path = "/api/log?chaincode=basic_1.0%3Aab&after=";
    assert_eq!(texts(&scene.get(&format!("{path}2")).await.body), ["once more"]);
    assert_eq!(texts(&scene.get(&format!("{path}1&replica=replica-0")).await.body), ["once more"]);
    // A number that is none, or of a log before this one.
    for odd in ["x", "-1", "0", ""] {
        assert_eq!(texts(&scene.get(&format!("{path}{odd}")).await.body).len(), 3, "{odd}");
    }
    assert!(texts(&scene.get(&format!("{path}{}", u64::MAX)).await.body).is_empty());
    for unknown in ["/api/log?chaincode=other", "/api/log", "/api/build-log?id=1", "/api/build-log"]
    {
        assert_eq!(scene.get(unknown).await.status, StatusCode::NOT_FOUND, "{unknown}");
    }
}

#[tokio::test]
async fn a_launcher_that_starts_says_so() {
    let scene = Scene::new();
    let told: Value = serde_json::from_str(&scene.get("/api/status").await.body).unwrap();
    assert_eq!(told["launcher"]["closed"], "the launcher is starting");
    assert_eq!((&told["chaincodes"], &told["builds"]), (&json!([]), &json!([])));
}

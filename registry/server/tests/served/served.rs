//! A registry that is served for one test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use selvedge_buildpack::digest::Sha256;
use selvedge_registry_server::{Bounds, Login, Rights, Store, router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the repository is called.
pub(crate) const NAME: &str = "selvedge/chaincode";

/// Room for all that a test makes.
pub(crate) const PLENTY: Bounds = Bounds { limit: 1 << 30, unfinished: Duration::from_hours(1) };

/// The media type of images.
pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry, served until it is dropped.
pub(crate) struct Served {
    pub(crate) store: Arc<Store>,
    pub(crate) login: Login,
    /// `HOST:PORT`.
    pub(crate) host: String,
    pub(crate) http: Client,
    directory: Option<TempDir>,
    _serving: JoinSet<()>,
}

impl Served {
    /// An empty one, to push to.
    pub(crate) async fn new(bounds: Bounds) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut served = Self::open(directory.path(), bounds, Rights::Push).await;
        served.directory = Some(directory);
        served
    }

    /// What is kept in a directory.
    pub(crate) async fn open(directory: &Path, bounds: Bounds, rights: Rights) -> Self {
        Self::of(Store::open(directory, bounds).unwrap(), rights).await
    }

    /// The store at an address.
    pub(crate) async fn of(store: Arc<Store>, rights: Rights) -> Self {
        let login = Login::random("tester").unwrap();
        let router = router(&store, NAME, rights, &login);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        // A client wants one, though nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::new();
        Self { store, login, host, http, directory: None, _serving: serving }
    }

    /// A request for something in the repository.
    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.ask_at(method, &format!("/v2/{NAME}/{path}"))
    }

    /// A request for something anywhere.
    pub(crate) fn ask_at(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.host);
        self.http.request(method, url).basic_auth(self.login.user, Some(&self.login.password))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.unwrap()
    }

    /// Pushes a blob as a whole.
    pub(crate) async fn push(&self, blob: &[u8]) -> Response {
        let path = format!("blobs/uploads/?digest={}", Sha256::of(blob));
        self.ask(Method::POST, &path).body(blob.to_vec()).send().await.unwrap()
    }

    /// Begins an upload; where it goes on.
    pub(crate) async fn begin(&self) -> String {
        let begun = self.ask(Method::POST, "blobs/uploads/").send().await.unwrap();
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        begun.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Pushes an image of one layer under a tag; the digest of its manifest.
    pub(crate) async fn push_image(&self, layer: &[u8], tag: &str) -> Sha256 {
        let config = format!("{{\"of\":\"{}\"}}", Sha256::of(layer));
        for blob in [layer, config.as_bytes()] {
            let pushed = self.push(blob).await;
            assert_eq!(pushed.status(), StatusCode::CREATED, "{:?}", pushed.text().await);
        }
        let manifest = manifest(&config, layer);
        let path = format!("manifests/{tag}");
        let put = self.ask(Method::PUT, &path).header("content-type", IMAGE);
        let put = put.body(manifest.clone()).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED, "{:?}", put.text().await);
        Sha256::of(manifest.as_bytes())
    }

    /// Whether the image of a digest is there with that layer.
    pub(crate) async fn has_image(&self, image: Sha256, layer: &[u8]) -> bool {
        let manifest = self.get(&format!("manifests/{image}")).await;
        if manifest.status() != StatusCode::OK {
            assert_eq!(
                code(manifest).await,
                (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN".to_owned())
            );
            return false;
        }
        let blob = self.get(&format!("blobs/{}", Sha256::of(layer))).await;
        blob.status() == StatusCode::OK && blob.bytes().await.unwrap() == layer
    }
}

/// The manifest of an image with a layer.
pub(crate) fn manifest(config: &str, layer: &[u8]) -> String {
    let named = |kind: &str, blob: &[u8]| json!({ "mediaType": kind, "digest": Sha256::of(blob).to_string(), "size": blob.len() });
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": named("application/vnd.oci.image.config.v1+json", config.as_bytes()),
        "layers": [named("application/vnd.oci.image.layer.v1.tar", layer)],
    })
    .to_string()
}

/// What is wrong, by the code that the specification has for it.
pub(crate) async fn code(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let (code, _) = told(response).await;
    (status, code)
}

/// What is wrong, by code and words.
pub(crate) async fn told(response: Response) -> (String, String) {
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let word = |key: &str| body["errors"][0][key].as_str().unwrap().to_owned();
    (word("code"), word("message"))
}

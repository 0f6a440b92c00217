//! The distribution API (`spec.md` of the distribution specification), for one repository.

mod at;
mod blobs;
mod linger;
mod manifests;
mod query;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};

use at::At;
pub use at::Rights;

use crate::access::{Guard, Login, admit};
use crate::fault::Fault;
use crate::store::Store;

/// Answers for the repository of that name, to who logs in so.
pub fn router(store: &Arc<Store>, name: &str, rights: Rights, login: &Login) -> Router {
    let at = At { store: Arc::clone(store), name: name.into(), rights };
    let pull = Router::new()
        .route("/blobs/{digest}", get(blobs::get))
        .route("/manifests/{name}", get(manifests::get))
        .route("/tags/list", get(manifests::tags))
        .route("/referrers/{digest}", get(manifests::referrers));
    let repository = match rights {
        Rights::Pull => pull,
        Rights::Push => pull
            .route("/manifests/{name}", put(manifests::put))
            .route("/blobs/uploads/", post(uploads::begin))
            .route(
                "/blobs/uploads/{id}",
                get(uploads::status)
                    .patch(uploads::go_on)
                    .put(uploads::finish)
                    .delete(uploads::cancel),
            ),
    };
    Router::new()
        .route("/v2/", get(version))
        .nest(&format!("/v2/{name}"), repository.with_state(at))
        .fallback(|| async { Fault::NameUnknown })
        .method_not_allowed_fallback(|| async { Fault::Unsupported })
        .layer(from_fn_with_state(Guard::of(login), admit))
}

/// Says that it is a registry.
async fn version() -> Response {
    ([(CONTENT_TYPE, "application/json")], "{}").into_response()
}

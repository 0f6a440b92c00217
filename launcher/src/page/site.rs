//! What a browser is given, as it lies beside this file: no step makes it of anything else.

use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

type File = ([(HeaderName, &'static str); 1], &'static str);

pub(super) const PAGE: File =
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], include_str!("site/index.html"));

pub(super) const STYLE: File =
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("site/page.css"));

pub(super) const SCRIPT: File =
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("site/page.js"));

pub(super) const ICON: File = ([(CONTENT_TYPE, "image/svg+xml")], include_str!("site/icon.svg"));

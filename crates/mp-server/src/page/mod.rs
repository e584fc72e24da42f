//! The live page of the admin port: files in the program, which need no other server.
//!
//! The page has the rights of the token that is entered in it. All that it shows comes from `/v1`.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use data_encoding::HEXLOWER;

/// A file of the page.
#[derive(Clone, Copy, Debug)]
struct File {
    name: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($name:literal)*) => {
        [$(File { name: $name, text: include_str!(concat!("files/", $name)) }),*]
    };
}

/// The page, which loads the other files.
const INDEX: &str = "index.html";

/// All files. Those but the page itself have paths below `/page/`.
const FILES: [File; 33] = files! {
    "index.html" "icon.svg"
    "theme.css" "layout.css" "controls.css" "table.css" "plot.css"
    "early_theme.js" "main.js" "api.js" "bans.js" "bots.js" "dialog.js" "dom.js" "events.js" "format.js"
    "join_lines.js" "link.js" "metrics.js" "model.js" "nodes.js" "overview.js" "peers.js" "plot.js"
    "rates.js" "room.js" "rooms.js" "server.js" "session.js" "sign_in.js" "table.js" "theme.js"
    "traffic.js"
};

/// Returns the routes: the page at `/`, and at `/setup` for the link that makes the first token.
/// With `is_dev` the page first tries to do without a token, and simulates links.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(is_dev: bool) -> Router<S> {
    FILES.iter().fold(Router::new(), |router, file| {
        let route = route(*file, is_dev);
        match file.name {
            INDEX => router.route("/", route.clone()).route("/setup", route),
            name => router.route(&format!("/page/{name}"), route),
        }
    })
}

fn route<S: Clone + Send + Sync + 'static>(file: File, is_dev: bool) -> MethodRouter<S> {
    let text = match is_dev && file.name == INDEX {
        true => file.text.replacen("<html ", "<html data-dev ", 1).into(),
        false => Bytes::from_static(file.text.as_bytes()),
    };
    let etag: Arc<str> = etag(&text).into();
    get(move |headers: HeaderMap| async move { file.respond(&etag, text, &headers) })
}

/// Returns a tag that differs if the text differs.
fn etag(text: &[u8]) -> String {
    let hash = digest(&SHA256, text);
    format!("\"{}\"", HEXLOWER.encode(&hash.as_ref()[..16]))
}

impl File {
    fn content_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        }
    }

    /// Returns the file, or 304 if the browser has it already.
    fn respond(&self, etag: &str, text: Bytes, request: &HeaderMap) -> Response {
        let known = request.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let is_known = known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag));
        let mut response = match is_known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(header::CONTENT_TYPE, self.content_type())], text).into_response(),
        };
        let headers = response.headers_mut();
        headers.extend(HeaderValue::from_str(etag).map(|etag| (header::ETAG, etag)));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
        response
    }
}

/// Only scripts, styles and requests of this server, none of them inline.
const CSP: &str = "default-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Returns the texts between `start` and the next quotation mark.
    fn quoted(text: &'static str, start: &'static str) -> impl Iterator<Item = &'static str> {
        text.split(start).skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page/files");
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        // For node, which runs the tests of the scripts.
        let in_folder: BTreeSet<_> = names.filter(|name| name != "package.json").collect();
        assert_eq!(in_folder, FILES.iter().map(|file| file.name.to_owned()).collect());
    }

    #[test]
    fn files_refer_only_to_each_other() {
        let paths: BTreeSet<_> = FILES.iter().map(|file| format!("/page/{}", file.name)).collect();
        for file in FILES {
            let links = ["href=\"", "src=\""].into_iter().flat_map(|it| quoted(file.text, it));
            for link in links {
                assert!(paths.contains(link), "{} refers to {link}", file.name);
            }
            for import in quoted(file.text, "from \"./") {
                let path = format!("/page/{import}");
                assert!(paths.contains(&path), "{} imports {import}", file.name);
            }
            let external = file.text.replace("http://www.w3.org/", "");
            assert!(!external.contains("://"), "{} refers to another server", file.name);
        }
    }

    #[test]
    fn scripts_make_no_markup_and_no_code_from_text() {
        let sinks = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "srcdoc",
            "eval(",
            "Function(",
            "javascript:",
        ];
        for file in FILES {
            for sink in sinks {
                assert!(!file.text.contains(sink), "{} has {sink}", file.name);
            }
        }
    }

    #[test]
    fn browser_loads_a_file_again_only_if_it_has_changed() {
        let (one, other) = (FILES[0], FILES[1]);
        let text = Bytes::from_static(one.text.as_bytes());
        let own = etag(&text);
        let request = |tag: &str| {
            let value = HeaderValue::from_str(tag).unwrap();
            HeaderMap::from_iter([(header::IF_NONE_MATCH, value)])
        };
        let status = |request| one.respond(&own, text.clone(), &request).status().as_u16();
        assert_eq!(status(HeaderMap::new()), 200);
        assert_eq!(status(request(&format!("\"x\", {own}"))), 304);
        assert_eq!(status(request(&etag(other.text.as_bytes()))), 200);
    }
}

//! The body of this crate's fuzz target. It accepts any bytes and panics if a property does not
//! hold. See `fuzz/` in the repository.

use crate::Selection;
use crate::limits::{CODE_BYTES_MAX, NAME_BYTES_MAX};

/// Parses the input as an authentication packet, and as a path and a query.
pub fn room_selection(data: &[u8]) {
    if let Ok(selection) = Selection::from_auth(data) {
        check(&selection);
    }
    let text = String::from_utf8_lossy(data);
    for url in [format!("ws://host/{text}"), format!("ws://host/?{text}"), text.into_owned()] {
        assert!(crate::resumed_id(&url).is_none_or(|peer| !peer.is_server()));
        for selection in [Selection::from_path(&url), Selection::from_query(&url)] {
            if let Ok(Some(selection)) = selection {
                check(&selection);
            }
        }
    }
}

/// Checks that a selection is within bounds and is read again from its own URL.
fn check(selection: &Selection) {
    let Selection { room, template, code } = selection;
    assert!((1..=NAME_BYTES_MAX).contains(&room.as_str().len()));
    assert!(code.as_ref().is_none_or(|it| (1..=CODE_BYTES_MAX).contains(&it.as_str().len())));
    let mut query = format!("room={room}");
    query.extend(template.iter().map(|template| format!("&template={template}")));
    if let Some(code) = code {
        query += "&code=";
        query.extend(code.as_str().bytes().map(|byte| format!("%{byte:02x}")));
    }
    let by_query = Selection::from_query(&format!("ws://host?{query}"));
    assert_eq!(by_query, Ok(Some(selection.clone())));
    assert_eq!(Selection::from_auth(query.as_bytes()).as_ref(), Ok(selection));
}

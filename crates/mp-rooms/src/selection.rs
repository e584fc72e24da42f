//! [`Selection`]: the room that a client selects, in a URL or in an authentication packet.

use std::borrow::Cow;

use mp_identity::Token;

use crate::limits::SELECTION_BYTES_MAX;
use crate::name::{Code, RoomName};
use crate::refusal::JoinRefusal;
use crate::resume::{Resume, parse_resume};

/// The room that a client selects.
///
/// | source | example |
/// |---|---|
/// | path of the URL | `/ROOM`, `/TEMPLATE/ROOM` |
/// | query of the URL | `?room=ROOM`, `?template=TEMPLATE&room=ROOM` |
/// | first authentication packet | `ROOM`, `TEMPLATE/ROOM`, `room=ROOM`, `template=TEMPLATE&room=ROOM` |
///
/// A query, also that of a path, and an authentication packet may have a `code=CODE` for a private
/// room, a `token=TOKEN` by which the player authenticates, and a `resume=TICKET` with which it
/// resumes its session ([`ResumeTicket`](crate::ResumeTicket)), whatever it selects. Values may be
/// percent-encoded (GDScript: `uri_encode`). Other keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// Name of the room.
    pub room: RoomName,
    /// Template of the room: the room is created from it if it does not exist. `None`: any, and the
    /// registry's [default](crate::RoomsSettings::default_template) to create it.
    pub template: Option<RoomName>,
    /// Code of a private room.
    pub code: Option<Code>,
}

impl Selection {
    /// Returns the selection of a room without template and code.
    pub fn new(room: RoomName) -> Self {
        Self { room, template: None, code: None }
    }

    /// Sets the template.
    #[must_use]
    pub fn template(mut self, template: RoomName) -> Self {
        self.template = Some(template);
        self
    }

    /// Sets the code.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// Reads the selection in the path of a URL, or `None` if the path is empty.
    ///
    /// # Errors
    ///
    /// A [`JoinRefusal`] if path or query are malformed.
    pub fn from_path(url: &str) -> Result<Option<Self>, JoinRefusal> {
        let (path, query) = path_and_query(url)?;
        let Some((template, room)) = parse_path(path)? else { return Ok(None) };
        Ok(Some(Self { room, template, code: parse_pairs(query)?.code }))
    }

    /// Reads the selection in the query of a URL, or `None` if it has no `room`.
    ///
    /// # Errors
    ///
    /// A [`JoinRefusal`] if the query is malformed.
    pub fn from_query(url: &str) -> Result<Option<Self>, JoinRefusal> {
        let (_, query) = path_and_query(url)?;
        Ok(parse_pairs(query)?.selection())
    }

    /// Reads the selection in the data of an authentication packet.
    ///
    /// # Errors
    ///
    /// A [`JoinRefusal`] if the data is malformed or selects no room.
    pub fn from_auth(data: &[u8]) -> Result<Self, JoinRefusal> {
        let text = auth_text(data)?;
        let selection = if text.contains('=') {
            parse_pairs(text)?.selection()
        } else {
            parse_path(text)?.map(|(template, room)| Self { room, template, code: None })
        };
        selection.ok_or(JoinRefusal::NoRoomSelected)
    }
}

/// Returns the token in the query of a URL; `None` if it has none.
pub(crate) fn token_of_url(url: &str) -> Result<Option<Token>, JoinRefusal> {
    let (_, query) = path_and_query(url)?;
    parse_token(query)
}

/// Returns the token in the data of an authentication packet.
pub(crate) fn token_of_auth(data: &[u8]) -> Result<Option<Token>, JoinRefusal> {
    parse_token(auth_text(data)?)
}

/// Returns the code in the data of an authentication packet.
pub(crate) fn code_of_auth(data: &[u8]) -> Result<Option<Code>, JoinRefusal> {
    Ok(parse_pairs(auth_text(data)?)?.code)
}

/// Returns the resume ticket in the query of a URL; `None` if it has none.
pub(crate) fn resume_of_url(url: &str) -> Result<Option<Resume>, JoinRefusal> {
    let (_, query) = path_and_query(url)?;
    parse_resume(query)
}

/// Returns the resume ticket in the data of an authentication packet.
pub(crate) fn resume_of_auth(data: &[u8]) -> Result<Option<Resume>, JoinRefusal> {
    parse_resume(auth_text(data)?)
}

/// Returns the decoded value of a key in pairs such as `room=a&token=b`.
pub(crate) fn value_of<'q>(query: &'q str, key: &str) -> Result<Option<Cow<'q, str>>, JoinRefusal> {
    let mut value = None;
    let is_key = |pair: &&'q str| pair.split_once('=').is_some_and(|(name, _)| name == key);
    for pair in query.split('&').filter(is_key) {
        set(&mut value, decode(&pair[key.len() + 1..])?)?;
    }
    Ok(value)
}

fn auth_text(data: &[u8]) -> Result<&str, JoinRefusal> {
    std::str::from_utf8(bounded(data)?).map_err(|_| JoinRefusal::InvalidEncoding)
}

/// Parses the token of pairs such as `room=a&token=b`.
fn parse_token(query: &str) -> Result<Option<Token>, JoinRefusal> {
    let token = value_of(query, "token")?;
    token.map(|token| Token::new(&token).map_err(|_| JoinRefusal::InvalidToken)).transpose()
}

/// The known keys of a query.
#[derive(Default)]
struct Pairs {
    room: Option<RoomName>,
    template: Option<RoomName>,
    code: Option<Code>,
}

impl Pairs {
    fn selection(self) -> Option<Selection> {
        let Self { room, template, code } = self;
        room.map(|room| Selection { room, template, code })
    }
}

/// Parses pairs such as `room=a&code=b`.
fn parse_pairs(query: &str) -> Result<Pairs, JoinRefusal> {
    let mut pairs = Pairs::default();
    for pair in query.split('&') {
        let Some((key, value)) = pair.split_once('=') else { continue };
        match key {
            "room" => set(&mut pairs.room, parse_name(value)?)?,
            "template" => set(&mut pairs.template, parse_name(value)?)?,
            "code" => {
                let code = Code::new(&decode(value)?).map_err(|_| JoinRefusal::InvalidCode)?;
                set(&mut pairs.code, code)?;
            }
            _ => {}
        }
    }
    Ok(pairs)
}

fn set<T>(value: &mut Option<T>, new: T) -> Result<(), JoinRefusal> {
    match value.replace(new) {
        None => Ok(()),
        Some(_) => Err(JoinRefusal::RepeatedKey),
    }
}

/// Parses `/ROOM` or `/TEMPLATE/ROOM`, with or without the first and a last `/`. Returns `None` if
/// there is nothing between them.
fn parse_path(path: &str) -> Result<Option<(Option<RoomName>, RoomName)>, JoinRefusal> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(None);
    }
    let (template, room) = match path.split_once('/') {
        None => (None, path),
        Some((_, rest)) if rest.contains('/') => return Err(JoinRefusal::InvalidPath),
        Some((template, room)) => (Some(parse_name(template)?), room),
    };
    Ok(Some((template, parse_name(room)?)))
}

fn parse_name(text: &str) -> Result<RoomName, JoinRefusal> {
    RoomName::new(&decode(text)?).map_err(|_| JoinRefusal::InvalidName)
}

/// Returns the path and the query of a URL, which may be empty.
fn path_and_query(url: &str) -> Result<(&str, &str), JoinRefusal> {
    bounded(url.as_bytes())?;
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = place.find('/').map_or("", |start| &place[start..]);
    Ok((path, query))
}

fn bounded(data: &[u8]) -> Result<&[u8], JoinRefusal> {
    if data.len() > SELECTION_BYTES_MAX {
        return Err(JoinRefusal::SelectionTooLong);
    }
    Ok(data)
}

/// Decodes percent escapes.
fn decode(text: &str) -> Result<Cow<'_, str>, JoinRefusal> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|it| char::from(it).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(JoinRefusal::InvalidEncoding);
        };
        bytes.push((high * 16 + low) as u8);
    }
    let text = String::from_utf8(bytes).map_err(|_| JoinRefusal::InvalidEncoding)?;
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RoomName {
        RoomName::new(text).unwrap()
    }

    fn room(text: &str) -> Selection {
        Selection::new(name(text))
    }

    fn code(text: &str) -> Code {
        Code::new(text).unwrap()
    }

    #[test]
    fn path_selects_a_room_and_its_template() {
        for (url, selection) in [
            ("ws://host:7778", None),
            ("ws://host/", None),
            ("ws://host?room=b", None),
            ("ws://host/a", Some(room("a"))),
            ("wss://host:1/a/", Some(room("a"))),
            ("ws://host/a?seat=3#b", Some(room("a"))),
            ("ws://host/%61%2Eb", Some(room("a.b"))),
            ("ws://host/arena/a", Some(room("a").template(name("arena")))),
            ("ws://host/a?code=1%2F2&room=b", Some(room("a").code(code("1/2")))),
        ] {
            assert_eq!(Selection::from_path(url), Ok(selection), "{url}");
        }
    }

    #[test]
    fn query_selects_a_room_its_template_and_its_code() {
        for (url, selection) in [
            ("ws://host/game", None),
            ("ws://host/game?token=x&code=1", None),
            ("ws://host?room=a", Some(room("a"))),
            ("ws://host/game?x&room=a&token=%zz", Some(room("a"))),
            (
                "ws://host/?code=12&template=arena&room=a",
                Some(room("a").template(name("arena")).code(code("12"))),
            ),
        ] {
            assert_eq!(Selection::from_query(url), Ok(selection), "{url}");
        }
    }

    #[test]
    fn authentication_packet_selects_a_room() {
        for (data, selection) in [
            ("a", room("a")),
            ("arena/a", room("a").template(name("arena"))),
            ("room=a", room("a")),
            ("code=1&room=a", room("a").code(code("1"))),
        ] {
            assert_eq!(Selection::from_auth(data.as_bytes()), Ok(selection), "{data}");
        }
    }

    #[test]
    fn url_and_authentication_packet_have_a_token() {
        let token = |text| Some(Token::new(text).unwrap());
        for (query, expected) in [
            ("room=a", None),
            ("token=x.y-z_", token("x.y-z_")),
            ("room=a&token=%2B1&code=2", token("+1")),
        ] {
            assert_eq!(token_of_url(&format!("ws://host/a?{query}")), Ok(expected.clone()));
            assert_eq!(token_of_auth(query.as_bytes()), Ok(expected));
        }
        assert_eq!(token_of_auth(b"arena"), Ok(None));
        assert_eq!(token_of_url("ws://host/token=a"), Ok(None), "it is a path");
        let long = format!("token={}", "x".repeat(mp_identity::limits::TOKEN_BYTES_MAX + 1));
        for (query, reason) in [
            ("token=", JoinRefusal::InvalidToken),
            (&long[..], JoinRefusal::InvalidToken),
            ("token=a&token=b", JoinRefusal::RepeatedKey),
            ("token=%zz", JoinRefusal::InvalidEncoding),
        ] {
            assert_eq!(token_of_auth(query.as_bytes()), Err(reason), "{query:.20}");
        }
        assert_eq!(code_of_auth(b"token=a&code=12"), Ok(Some(code("12"))));
    }

    #[test]
    fn malformed_selections_are_refused_with_a_reason() {
        let url = |query: &str| Selection::from_query(&format!("ws://host/?{query}"));
        for (query, reason) in [
            ("room=", JoinRefusal::InvalidName),
            ("room=a b", JoinRefusal::InvalidName),
            ("room=%2", JoinRefusal::InvalidEncoding),
            ("room=%ff", JoinRefusal::InvalidEncoding),
            ("room=%+1", JoinRefusal::InvalidEncoding),
            ("room=a&room=a", JoinRefusal::RepeatedKey),
            ("room=a&template=..", JoinRefusal::InvalidName),
            ("room=a&code=", JoinRefusal::InvalidCode),
            ("room=a&code=1&code=1", JoinRefusal::RepeatedKey),
        ] {
            assert_eq!(url(query), Err(reason), "{query}");
        }
        let long = format!("room=a&x={}", "y".repeat(SELECTION_BYTES_MAX));
        assert_eq!(url(&long), Err(JoinRefusal::SelectionTooLong));
        for (path, reason) in [
            ("/a/b/c", JoinRefusal::InvalidPath),
            ("/a//", JoinRefusal::InvalidName),
            ("/a?code=", JoinRefusal::InvalidCode),
        ] {
            let url = format!("ws://host{path}");
            assert_eq!(Selection::from_path(&url), Err(reason), "{path}");
        }
        for (data, reason) in [
            (&b""[..], JoinRefusal::NoRoomSelected),
            (b"/", JoinRefusal::NoRoomSelected),
            (b"token=x", JoinRefusal::NoRoomSelected),
            (b"\xff", JoinRefusal::InvalidEncoding),
            (b"a/b/c", JoinRefusal::InvalidPath),
            (&[b'a'; SELECTION_BYTES_MAX + 1], JoinRefusal::SelectionTooLong),
        ] {
            assert_eq!(Selection::from_auth(data), Err(reason), "{data:?}");
        }
    }
}

//! The wire format of queries and responses: little-endian integers, and texts that end with a zero
//! byte.

use super::QueryInfo;

/// The subject of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryKind {
    Info,
    Players,
    Rules,
}

/// A query, with the challenge that the client returns, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) kind: QueryKind,
    pub(super) challenge: Option<u32>,
}

/// Returns whether a datagram is a query, or malformed as one: no ENet client sends it.
pub(super) fn is_query(datagram: &[u8]) -> bool {
    datagram.starts_with(&SINGLE)
}

impl Query {
    /// Parses a datagram; `None` if it is no query of a known kind.
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let (&kind, rest) = datagram.strip_prefix(&SINGLE)?.split_first()?;
        let (kind, rest) = match kind {
            A2S_INFO => (QueryKind::Info, rest.strip_prefix(INFO_TEXT)?),
            A2S_PLAYER => (QueryKind::Players, rest),
            A2S_RULES => (QueryKind::Rules, rest),
            _ => return None,
        };
        let challenge = match (rest, kind) {
            ([], QueryKind::Info) => None,
            (rest, _) => Some(u32::from_le_bytes(rest.try_into().ok()?)),
        };
        Some(Self { kind, challenge })
    }
}

/// Returns the datagram that requests a client to repeat its query with a challenge. It is not
/// longer than any query.
pub(super) fn challenge(challenge: u32) -> Vec<u8> {
    let mut out = Writer::new(S2C_CHALLENGE);
    out.bytes(&challenge.to_le_bytes());
    out.0
}

/// Returns the response to a query: at most [`RESPONSE_BYTES_MAX`] bytes.
pub(super) fn response(kind: QueryKind, info: &QueryInfo) -> Vec<u8> {
    match kind {
        QueryKind::Info => info_response(info),
        QueryKind::Players => players_response(info),
        QueryKind::Rules => rules_response(info),
    }
}

fn info_response(info: &QueryInfo) -> Vec<u8> {
    let mut out = Writer::new(S2A_INFO);
    out.bytes(&[PROTOCOL]);
    for text in [&info.name, &info.map, "godot", &info.game] {
        out.text(text);
    }
    let no_steam_app = 0_u16.to_le_bytes();
    out.bytes(&no_steam_app);
    let byte = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
    let (no_bots, no_anti_cheat) = (0, 0);
    out.bytes(&[byte(info.players), byte(info.max_players), no_bots]);
    out.bytes(&[DEDICATED, ENVIRONMENT, u8::from(info.is_private), no_anti_cheat]);
    out.text(env!("CARGO_PKG_VERSION"));
    out.bytes(&[HAS_PORT]);
    out.bytes(&info.port.to_le_bytes());
    out.0
}

fn players_response(info: &QueryInfo) -> Vec<u8> {
    let mut out = Writer::new(S2A_PLAYER);
    let mut count = 0;
    out.bytes(&[count]);
    let at = out.0.len() - 1;
    for name in info.names.iter().take(PLAYERS_MAX) {
        let mut player = Writer(vec![0]);
        player.text(name);
        // Score and seconds since the player has joined, which are not known.
        player.bytes(&[0; 8]);
        if out.0.len() + player.0.len() > RESPONSE_BYTES_MAX {
            break;
        }
        out.bytes(&player.0);
        count += 1;
    }
    out.0[at] = count;
    out.0
}

fn rules_response(info: &QueryInfo) -> Vec<u8> {
    let mut out = Writer::new(S2A_RULES);
    out.bytes(&(info.rules.len() as u16).to_le_bytes());
    for (name, value) in &info.rules {
        out.text(name);
        out.text(value);
    }
    out.0
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: u8) -> Self {
        let mut out = Vec::with_capacity(128);
        out.extend(SINGLE);
        out.push(kind);
        Self(out)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Writes a text without control characters, of at most [`TEXT_BYTES_MAX`] bytes.
    fn text(&mut self, text: &str) {
        let ends = (0..=text.len().min(TEXT_BYTES_MAX)).rev();
        let end = ends.into_iter().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
        let printable = text[..end].chars().filter(|it| !it.is_control());
        let mut bytes = [0; 4];
        for char in printable {
            self.0.extend(char.encode_utf8(&mut bytes).as_bytes());
        }
        self.0.push(0);
    }
}

/// First bytes of a message in one datagram.
const SINGLE: [u8; 4] = [0xff; 4];
const A2S_INFO: u8 = b'T';
const A2S_PLAYER: u8 = b'U';
const A2S_RULES: u8 = b'V';
const S2C_CHALLENGE: u8 = b'A';
const S2A_INFO: u8 = b'I';
const S2A_PLAYER: u8 = b'D';
const S2A_RULES: u8 = b'E';
const INFO_TEXT: &[u8] = b"Source Engine Query\0";
/// Version of the protocol that clients display.
const PROTOCOL: u8 = 17;
const DEDICATED: u8 = b'd';
const ENVIRONMENT: u8 = if cfg!(windows) {
    b'w'
} else if cfg!(target_os = "macos") {
    b'm'
} else {
    b'l'
};
/// Flag of a response that contains the port.
const HAS_PORT: u8 = 0x80;
/// Maximum length of a text in bytes, without its end.
const TEXT_BYTES_MAX: usize = 64;
/// Maximum number of players of a response: their number is one byte.
pub(super) const PLAYERS_MAX: usize = 255;
/// Maximum length of a response in bytes, which fits into a datagram of all networks.
const RESPONSE_BYTES_MAX: usize = 1_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn query(kind: u8, rest: &[u8]) -> Option<Query> {
        Query::parse(&[&SINGLE[..], &[kind], rest].concat())
    }

    #[test]
    fn queries_of_the_specification_are_parsed() {
        let challenge = Some(0x0403_0201);
        let info = query(b'T', INFO_TEXT).unwrap();
        assert_eq!(info, Query { kind: QueryKind::Info, challenge: None });
        let info = query(b'T', b"Source Engine Query\0\x01\x02\x03\x04").unwrap();
        assert_eq!(info, Query { kind: QueryKind::Info, challenge });
        let players = query(b'U', &[1, 2, 3, 4]).unwrap();
        assert_eq!(players, Query { kind: QueryKind::Players, challenge });
        assert_eq!(query(b'V', &[1, 2, 3, 4]).unwrap().kind, QueryKind::Rules);
    }

    #[test]
    fn other_datagrams_are_no_queries() {
        let long = [INFO_TEXT, &[0; 5]].concat();
        let wrong =
            [(b'T', &b"Source Engine Query"[..]), (b'T', &long), (b'U', &[]), (b'U', &[1; 5])];
        for (kind, rest) in
            wrong.into_iter().chain([(b'V', &[1; 3][..]), (b'W', &[1; 4]), (b'i', &[])])
        {
            assert_eq!(query(kind, rest), None, "{kind} {rest:02x?}");
        }
        assert!(is_query(&[0xff; 4]) && Query::parse(&[0xff; 4]).is_none());
        // CONNECT of Godot, with a time, and compressed.
        assert!(!is_query(&[0x8f, 0xff, 0xff, 0xff]) && !is_query(&[0xcf, 0xff, 0xff, 0xff]));
    }

    fn info() -> QueryInfo {
        QueryInfo {
            name: "Harbor".to_owned(),
            map: "rooms".to_owned(),
            game: "Ships".to_owned(),
            players: 3,
            max_players: 65_535,
            is_private: true,
            port: 7_777,
            rules: [("rooms", "2".to_owned())].into_iter().collect(),
            names: vec!["Kay\n\0!".to_owned(), "ä".repeat(40)],
        }
    }

    #[test]
    fn responses_have_the_fields_of_the_specification_in_order() {
        let version = env!("CARGO_PKG_VERSION").as_bytes();
        let texts: [&[u8]; 3] = [
            b"\xff\xff\xff\xffI\x11Harbor\0rooms\0godot\0Ships\0",
            b"\0\0\x03\xff\0dl\x01\0",
            version,
        ];
        assert_eq!(
            response(QueryKind::Info, &info()),
            [&texts.concat()[..], b"\0\x80\x61\x1e"].concat()
        );
        let rules = response(QueryKind::Rules, &info());
        assert_eq!(rules, b"\xff\xff\xff\xffE\x01\0rooms\x002\0");
        assert_eq!(challenge(0x0403_0201), b"\xff\xff\xff\xffA\x01\x02\x03\x04");
    }

    #[test]
    fn names_of_players_are_printable_and_bounded() {
        let players = response(QueryKind::Players, &info());
        let start = b"\xff\xff\xff\xffD\x02\0Kay!\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(players[..start.len()], start[..]);
        assert_eq!(players[start.len()..], ["ä".repeat(32).as_bytes(), &[0; 9]].concat());
    }

    #[test]
    fn responses_fit_into_a_datagram() {
        let names = vec!["n".repeat(100); 300];
        let players = response(QueryKind::Players, &QueryInfo { names, ..info() });
        assert!(players.len() <= RESPONSE_BYTES_MAX);
        // One byte for the index, 64 of the name with its end, and eight more.
        assert_eq!(usize::from(players[5]), (RESPONSE_BYTES_MAX - 6) / 74);
        let many = QueryInfo { names: vec!["n".to_owned(); 300], ..info() };
        assert_eq!(
            usize::from(response(QueryKind::Players, &many)[5]),
            (RESPONSE_BYTES_MAX - 6) / 11
        );
    }
}

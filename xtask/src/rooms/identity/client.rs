//! Output of a client that authenticates, and its ways to send a token.

use super::super::expect;
use crate::process::Process;

/// The way in which a client sends its token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Enet,
    WebSocket,
    Url,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Enet, Self::WebSocket, Self::Url];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enet => "enet",
            Self::WebSocket => "websocket",
            Self::Url => "url",
        }
    }

    /// Waits until a client is refused with a code and a text, and checks what it has printed.
    pub(super) fn expect_refusal(
        self,
        player: &mut Process,
        code: &str,
        text: &str,
    ) -> Result<(), String> {
        let said = format!("{code}: {text}\nauthentication failed\ndisconnected");
        let reason = format!("reason {code}");
        match self {
            Self::Enet => expect_output(player, "disconnected", |it| it == said),
            Self::WebSocket => {
                let said = format!("{said}\n{reason}");
                expect_output(player, "reason ", |it| it == said)
            }
            // Without an authentication packet, the client may count itself as connected before.
            Self::Url => expect_output(player, "reason ", |it| {
                let how = it.strip_suffix(&reason).unwrap_or_default();
                let is_late = how.starts_with("connected ") && how.ends_with("\ndisconnected\n");
                how == "connection failed\n" || is_late
            }),
        }
    }

    /// Returns the lines of a client that is disconnected with a code and its text.
    pub(super) fn removal(self, code: &str, text: &str) -> Vec<String> {
        self.end(&format!("{code}: {text}"), code)
    }

    /// Returns the lines of a client that an operator disconnects with a text.
    pub(super) fn kick(self, text: &str) -> Vec<String> {
        let said = format!("kicked: {text}");
        self.end(&said, &said)
    }

    fn end(self, said: &str, reason: &str) -> Vec<String> {
        let mut lines = vec![said.to_owned(), "disconnected".to_owned()];
        if self != Self::Enet {
            lines.push(format!("reason {reason}"));
        }
        lines
    }
}

/// Waits until a client that was admitted has printed `lines`, and checks that it has printed
/// nothing else.
pub(super) fn expect_lines(player: &mut Process, lines: &[String]) -> Result<(), String> {
    let last = lines.last().map_or("connected ", String::as_str);
    expect_output(player, last, |output| {
        let (first, rest) = output.split_once('\n').unwrap_or((output, ""));
        first.starts_with("connected ") && rest == lines.join("\n")
    })
}

/// Waits until a client has printed a line that starts with `last`, and checks its output. Godot
/// must report no error.
fn expect_output(
    player: &mut Process,
    last: &str,
    is_expected: impl Fn(&str) -> bool,
) -> Result<(), String> {
    expect(player, last)?;
    let output = player.output();
    if !is_expected(output.trim_end()) {
        return Err(format!("{} prints:\n{output}", player.who));
    }
    match player.errors().lines().find(|line| line.contains("ERROR:")) {
        None => Ok(()),
        Some(error) => Err(format!("{} reports {error}", player.who)),
    }
}

/// Returns the peer id that a connected client has printed.
pub(super) fn id_of(player: &Process) -> Result<String, String> {
    let output = player.output();
    let id = output.lines().find_map(|line| line.strip_prefix("connected "));
    id.map(str::to_owned).ok_or_else(|| format!("{} is not connected: {output}", player.who))
}

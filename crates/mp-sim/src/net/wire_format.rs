//! Parser for traces: lists the ENet commands of a datagram.

use std::fmt;

use mp_transport_enet::proto::command::Command;
use mp_transport_enet::proto::header::Header;

/// Format of the datagrams of a world.
#[derive(Clone, Copy, Debug)]
pub struct WireFormat {
    /// True if datagrams have a checksum.
    pub has_checksum: bool,
}

impl WireFormat {
    /// Returns the commands of a datagram. A malformed rest yields `None` as the last item.
    pub fn commands(self, datagram: &[u8]) -> impl Iterator<Item = Option<Command<'_>>> {
        let mut rest = self.split(datagram).map(|(_, commands)| commands);
        let mut is_over = false;
        std::iter::from_fn(move || {
            if is_over || rest.is_some_and(<[u8]>::is_empty) {
                return None;
            }
            let parsed = rest.and_then(|bytes| Command::parse(bytes).ok());
            is_over = parsed.is_none();
            Some(parsed.map(|(command, after)| {
                rest = Some(after);
                command
            }))
        })
    }

    /// Returns a readable list of the commands.
    pub fn show(self, datagram: &[u8]) -> impl fmt::Display {
        Shown { wire: self, datagram }
    }

    fn split(self, datagram: &[u8]) -> Option<(Header, &[u8])> {
        let (header, rest) = Header::parse(datagram)?;
        Some((header, if self.has_checksum { rest.get(CHECKSUM_LEN..)? } else { rest }))
    }
}

struct Shown<'a> {
    wire: WireFormat,
    datagram: &'a [u8],
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((header, _)) = self.wire.split(self.datagram) else {
            return f.write_str("malformed");
        };
        write!(f, "{header}")?;
        for command in self.wire.commands(self.datagram) {
            match command {
                Some(command) => write!(f, " | {command}")?,
                None => f.write_str(" | malformed")?,
            }
        }
        Ok(())
    }
}

const CHECKSUM_LEN: usize = 4;

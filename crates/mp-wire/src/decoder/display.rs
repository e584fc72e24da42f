//! Texts of decoded packets.

use std::fmt::{self, Display, Formatter, Write};

use super::message::{
    DecodedArgument, DecodedCall, DecodedElement, DecodedPacket, DecodedProperties, NodeName,
    SpawnedFrom, WireMessage,
};
use crate::text::{BoundedText, write_bytes};

impl Display for DecodedPacket {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&BoundedText::of(|to| write_packet(to, self)))
    }
}

fn write_packet(to: &mut BoundedText, packet: &DecodedPacket) -> fmt::Result {
    match packet.relay {
        None => {}
        Some(0) => to.write_str("[all] ")?,
        Some(peer) if peer < 0 => write!(to, "[all except {}] ", peer.unsigned_abs())?,
        Some(peer) => write!(to, "[{peer}] ")?,
    }
    match &packet.message {
        WireMessage::Call(call) => write_call(to, call),
        WireMessage::Announce { id, path, script } => {
            write!(to, "announce {path} as {id}")?;
            script.as_ref().map_or(Ok(()), |script| write!(to, " ({script})"))
        }
        WireMessage::Confirm { node, checksum_ok: true } => write!(to, "confirm {node}"),
        WireMessage::Confirm { node, checksum_ok: false } => {
            write!(to, "confirm {node}, but the methods of both peers differ")
        }
        WireMessage::Raw(bytes) => write_bytes(to, bytes),
        WireMessage::Spawn { path, source, net_id, state } => {
            write!(to, "{path} from {source} as {net_id}")?;
            if !state.is_empty() {
                to.write_str(": ")?;
            }
            write_properties(to, state)
        }
        WireMessage::Despawn { net_id, path: Some(path) } => write!(to, "{path} ({net_id})"),
        WireMessage::Despawn { net_id, path: None } => write!(to, "#{net_id}"),
        WireMessage::Sync { time, elements } => {
            write!(to, "{time}: ")?;
            write_elements(to, elements)
        }
        WireMessage::Delta(elements) => write_elements(to, elements),
        WireMessage::Auth(0) => to.write_str("complete"),
        WireMessage::Auth(len) => write!(to, "… ({len} bytes)"),
        WireMessage::AddPeer(peer) => write!(to, "peer {peer} joined"),
        WireMessage::DelPeer(peer) => write!(to, "peer {peer} left"),
        WireMessage::Malformed { error, bytes } => {
            write!(to, "{error}")?;
            if bytes.is_empty() {
                return Ok(());
            }
            to.write_str(": ")?;
            write_bytes(to, bytes)
        }
    }
}

fn write_call(to: &mut BoundedText, call: &DecodedCall) -> fmt::Result {
    write!(to, "{}.", call.node)?;
    match &call.method_name {
        Some(name) => to.write_str(name)?,
        None => write!(to, "#{}", call.method)?,
    }
    to.write_char('(')?;
    for (index, DecodedArgument { name, value, is_masked }) in call.args.iter().enumerate() {
        if index > 0 {
            to.write_str(", ")?;
        }
        if let Some(name) = name {
            write!(to, "{name}: ")?;
        }
        match is_masked {
            true => to.write_char('…')?,
            false => write!(to, "{value:?}")?,
        }
    }
    to.write_char(')')?;
    if call.complete { Ok(()) } else { to.write_str(" with malformed arguments") }
}

fn write_elements(to: &mut BoundedText, elements: &[DecodedElement]) -> fmt::Result {
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            to.write_str("; ")?;
        }
        write!(to, "{} ", element.synchronizer)?;
        write_properties(to, &element.properties)?;
    }
    Ok(())
}

fn write_properties(to: &mut BoundedText, properties: &DecodedProperties) -> fmt::Result {
    for (index, value) in properties.values.iter().enumerate() {
        if index > 0 {
            to.write_str(", ")?;
        }
        match properties.names.get(index) {
            Some(name) => write!(to, "{name}={value:?}")?,
            None => write!(to, "{value:?}")?,
        }
    }
    match properties.malformed_bytes {
        0 => Ok(()),
        bytes => write!(to, " and {bytes} malformed bytes"),
    }
}

impl DecodedProperties {
    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.malformed_bytes == 0
    }
}

impl Display for NodeName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Id(id) => write!(f, "#{id}"),
        }
    }
}

impl Display for SpawnedFrom {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scene(path) => f.write_str(path),
            Self::Number(number) => write!(f, "scene {number}"),
            Self::Data(value) => write!(f, "{value:?}"),
        }
    }
}

//! REMOTE_CALL: calls of methods.
//!
//! Byte 0: bits 0 to 2 are 0; bits 4 and 5 are the size of the node id (1, 2 or 4 bytes); bit 6 is
//! the size of the method id (1 or 2 bytes); bit 7 means no arguments, or a single PackedByteArray.
//!
//! Then follow the node id and the method id. Without bit 7 an argument count and the arguments in
//! the compressed encoding follow, with bit 7 the bytes of the array. A 4-byte node id with bit 31
//! set is the offset, from byte 0, of the node's path, which ends the packet.

use std::ops::Range;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mp_core::Variant;

use super::compressed::encode_compressed_list;
use super::variant::{Decoder, Limits, Objects};
use super::{COMMAND_MASK, REMOTE_CALL, cstring};
use crate::codec::{DecodeError, EncodeError};
use crate::message::{CallNode, RemoteCall};

const NODE_SIZE_SHIFT: u8 = 4;
const NODE_SIZE_MASK: u8 = 0b11;
const WIDE_METHOD: u8 = 1 << 6;
const BYTES_ONLY: u8 = 1 << 7;
const BY_PATH: u32 = 1 << 31;
/// Offset of the node id.
const NODE_AT: usize = 1;

pub(super) fn encode(
    call: &RemoteCall,
    objects: Objects,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let start = out.len();
    let count = u8::try_from(call.args.len())
        .map_err(|_| EncodeError::TooManyArguments(call.args.len()))?;
    let mut meta = REMOTE_CALL;
    out.put_u8(meta);

    match call.node {
        CallNode::Id { id, wide } => meta |= put_node_id(id, wide, out) << NODE_SIZE_SHIFT,
        // The offset is set after the arguments are encoded.
        CallNode::Path(_) => {
            meta |= 2 << NODE_SIZE_SHIFT;
            out.put_u32_le(BY_PATH);
        }
    }
    match u8::try_from(call.method) {
        Ok(method) => out.put_u8(method),
        Err(_) => {
            meta |= WIDE_METHOD;
            out.put_u16_le(call.method);
        }
    }
    match call.args.as_slice() {
        [] => meta |= BYTES_ONLY,
        [Variant::PackedByteArray(bytes)] => {
            meta |= BYTES_ONLY;
            out.put_slice(bytes);
        }
        args => {
            out.put_u8(count);
            encode_compressed_list(args, objects, out)?;
        }
    }
    if let CallNode::Path(path) = &call.node {
        let offset = (out.len() - start) as u32;
        out[start + NODE_AT..][..4].copy_from_slice(&(BY_PATH | offset).to_le_bytes());
        out.put_slice(path.as_bytes());
        out.put_u8(0);
    }
    out[start] = meta;
    Ok(())
}

pub(super) fn decode(packet: &Bytes, limits: &Limits) -> Result<RemoteCall, DecodeError> {
    let call = EncodedCall::read(packet)?;
    let (args, complete) = call.args.decode(limits);
    Ok(RemoteCall { node: call.node(), method: call.method, args, complete })
}

/// Decodes a call without its arguments.
pub(super) fn decode_head(packet: &Bytes) -> Result<RemoteCall, DecodeError> {
    let call = EncodedCall::read(packet)?;
    Ok(RemoteCall { node: call.node(), method: call.method, args: Vec::new(), complete: true })
}

/// Returns a call with another path id of its node; `None` if `map` returns none. A call by path
/// stays as it is.
pub(super) fn map_node_id(
    packet: &Bytes,
    map: impl FnOnce(u32) -> Option<u32>,
) -> Result<Option<Bytes>, DecodeError> {
    let EncodedNode::Id { id, wide } = EncodedCall::read(packet)?.node else {
        return Ok(Some(packet.clone()));
    };
    let meta = packet[0];
    let size = match (meta >> NODE_SIZE_SHIFT) & NODE_SIZE_MASK {
        0 => 1,
        1 => 2,
        _ => 4,
    };
    let Some(id) = map(id) else { return Ok(None) };
    let mut mapped = BytesMut::with_capacity(packet.len() + 3);
    mapped.put_u8(meta & !(NODE_SIZE_MASK << NODE_SIZE_SHIFT));
    mapped[0] |= put_node_id(id, wide, &mut mapped) << NODE_SIZE_SHIFT;
    mapped.put_slice(&packet[NODE_AT + size..]);
    Ok(Some(mapped.freeze()))
}

/// Appends the id of a node; returns the code of its size.
fn put_node_id(id: u32, wide: bool, out: &mut BytesMut) -> u8 {
    if !wide && id <= 0xFF {
        out.put_u8(id as u8);
        0
    } else if !wide && id <= 0xFFFF {
        out.put_u16_le(id as u16);
        1
    } else {
        out.put_u32_le(id);
        2
    }
}

/// The parts of an encoded call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallLayout {
    /// Node.
    pub node: CallNode,
    /// Id of the method.
    pub method: u16,
    /// Positions of the arguments, up to the first malformed one.
    pub arguments: Vec<Range<usize>>,
    /// True if the only argument is the bytes of a PackedByteArray, without its header.
    pub is_raw: bool,
    /// Position of the malformed or extra bytes after the arguments.
    pub rest: Range<usize>,
}

impl CallLayout {
    /// Returns the parts of a call.
    ///
    /// # Errors
    ///
    /// The packet is not a call with a valid head.
    pub fn read(packet: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        if packet.first().is_none_or(|meta| meta & COMMAND_MASK != REMOTE_CALL) {
            return Err(DecodeError::Invalid("command of a call"));
        }
        let call = EncodedCall::read(packet)?;
        let path_len = match call.node {
            EncodedNode::Path(path) => path.len(),
            EncodedNode::Id { .. } => 0,
        };
        let (end, bytes) = (packet.len() - path_len, call.args.bytes);
        let (mut arguments, mut start) = (Vec::new(), end - bytes.len());
        let mut decoder = Decoder::new(bytes, limits);
        for _ in 0..call.args.count.unwrap_or(0) {
            if decoder.compressed().is_err() {
                break;
            }
            let next = end - decoder.rest().len();
            arguments.push(start..next);
            start = next;
        }
        let is_raw = call.args.count.is_none() && start < end;
        if is_raw {
            arguments.push(start..end);
            start = end;
        }
        let (node, method) = (call.node(), call.method);
        Ok(Self { node, method, arguments, is_raw, rest: start..end })
    }
}

/// A call whose arguments are not decoded yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncodedCall<'a> {
    node: EncodedNode<'a>,
    pub(crate) method: u16,
    pub(crate) args: EncodedArguments<'a>,
}

#[derive(Clone, Copy, Debug)]
enum EncodedNode<'a> {
    Id { id: u32, wide: bool },
    Path(&'a [u8]),
}

/// The encoded arguments of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncodedArguments<'a> {
    /// Number of the values; `None` if the bytes are those of a PackedByteArray, or of no value.
    count: Option<u8>,
    bytes: &'a [u8],
}

impl<'a> EncodedCall<'a> {
    /// Decodes a packet that is a call.
    pub(super) fn read(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = packet;
        let short = |_| DecodeError::Truncated("the head of a call");
        let meta = rest.try_get_u8().map_err(short)?;
        let id = match (meta >> NODE_SIZE_SHIFT) & NODE_SIZE_MASK {
            0 => u32::from(rest.try_get_u8().map_err(short)?),
            1 => u32::from(rest.try_get_u16_le().map_err(short)?),
            2 => rest.try_get_u32_le().map_err(short)?,
            _ => return Err(DecodeError::Invalid("node id size of a call")),
        };
        let method = match meta & WIDE_METHOD {
            0 => u16::from(rest.try_get_u8().map_err(short)?),
            _ => rest.try_get_u16_le().map_err(short)?,
        };

        let node = if id & BY_PATH == 0 {
            let wide = meta >> NODE_SIZE_SHIFT & NODE_SIZE_MASK == 2 && id <= 0xFFFF;
            EncodedNode::Id { id, wide }
        } else {
            let offset = (id & !BY_PATH) as usize;
            // An offset into the head would make the size of the arguments negative.
            let head = packet.len() - rest.len();
            if offset < head || offset >= packet.len() {
                return Err(DecodeError::Invalid("path offset of a call"));
            }
            rest = &packet[head..offset];
            EncodedNode::Path(&packet[offset..])
        };

        let count = if meta & BYTES_ONLY != 0 {
            None
        } else {
            let count = rest.try_get_u8();
            Some(count.map_err(|_| DecodeError::Truncated("the argument count"))?)
        };
        Ok(Self { node, method, args: EncodedArguments { count, bytes: rest } })
    }

    /// Returns the node.
    pub(crate) fn node(&self) -> CallNode {
        match self.node {
            EncodedNode::Id { id, wide } => CallNode::Id { id, wide },
            EncodedNode::Path(path) => CallNode::Path(cstring(path)),
        }
    }
}

impl EncodedArguments<'_> {
    /// Returns the size in bytes, without the number of the arguments.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Decodes the arguments, and returns whether all are valid. As in Godot 4.6.3, arguments from
    /// the first invalid one on are null, and extra bytes are ignored.
    pub(crate) fn decode(&self, limits: &Limits) -> (Vec<Variant>, bool) {
        let Some(count) = self.count else {
            let bytes = self.bytes.to_vec();
            let args =
                if bytes.is_empty() { vec![] } else { vec![Variant::PackedByteArray(bytes)] };
            return (args, true);
        };
        let count = usize::from(count);
        let (mut args, error) = Decoder::new(self.bytes, limits).compressed_list(count);
        if let Some(error) = &error {
            tracing::debug!(%error, index = args.len(), "an argument could not be decoded");
            args.resize(count, Variant::Nil);
        }
        (args, error.is_none())
    }
}

//! Copies of datagrams, expanded and without secrets.

use std::collections::VecDeque;
use std::rc::Rc;

use mp_transport_enet::proto::command::{Body, Command, Fragment};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{CompressionMode, Compressor, MTU_MAX};

use super::mask::{MASK, Masker};
use crate::Direction;
use crate::names::ProjectNames;

/// Expands datagrams.
#[derive(Debug)]
pub(super) struct Expander(Compressor);

/// A datagram as it is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlainDatagram {
    pub(super) bytes: Vec<u8>,
    /// Length of the datagram, which is longer than its captured bytes if it cannot be expanded.
    pub(super) len: usize,
    header_len: usize,
}

impl Expander {
    pub(super) fn new(compression: CompressionMode) -> Self {
        Self(Compressor::new(compression))
    }

    /// Returns the datagram without compression. Of one that cannot be expanded only the header
    /// remains: its content cannot be masked.
    pub(super) fn expand(&mut self, datagram: &[u8]) -> PlainDatagram {
        let (bytes, len) = (datagram.to_vec(), datagram.len());
        let Some((mut header, commands)) = Header::parse(datagram) else {
            return PlainDatagram { bytes, len, header_len: len };
        };
        let header_len = header.encoded_len();
        if !header.compressed {
            return PlainDatagram { bytes, len, header_len };
        }
        let mut expanded = vec![0; usize::from(MTU_MAX)];
        match self.0.expand(commands, &mut expanded[header_len..]) {
            Some(expanded_len) => {
                header.compressed = false;
                header.emit(&mut expanded);
                expanded.truncate(header_len + expanded_len);
                PlainDatagram { len: expanded.len(), bytes: expanded, header_len }
            }
            None => PlainDatagram { bytes: bytes[..header_len].to_vec(), len, header_len },
        }
    }
}

/// The connection of one address.
#[derive(Debug)]
pub(super) struct DatagramSession {
    masker: Masker,
    names: Option<Rc<ProjectNames>>,
    /// First fragments, and whether the others of their packets may be secret.
    fragmented: VecDeque<(FragmentKey, bool)>,
}

/// Identifies the packet of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FragmentKey {
    direction: Direction,
    channel: u8,
    is_reliable: bool,
    start: u16,
}

/// The kind of a payload to mask.
enum Content {
    Packet,
    Fragment { key: FragmentKey, is_first: bool },
}

impl DatagramSession {
    pub(super) fn new(names: Option<Rc<ProjectNames>>) -> Self {
        let masker = Masker::new(names.clone());
        Self { masker, names, fragmented: VecDeque::new() }
    }

    /// Masks the secrets in the payloads of a datagram.
    pub(super) fn mask(&mut self, direction: Direction, datagram: &mut PlainDatagram) {
        let (bytes, mut at) = (&mut datagram.bytes, datagram.header_len);
        while at < bytes.len() {
            let Ok((command, rest)) = Command::parse(&bytes[at..]) else {
                // The end of a truncated payload. ENet ignores zeros.
                let rest = bytes[at..].iter_mut().skip(HEAD_LEN);
                rest.filter(|byte| **byte != 0).for_each(|byte| *byte = MASK);
                return;
            };
            let next = bytes.len() - rest.len();
            let (start, channel) = (at + command.fixed_len(), command.channel);
            let content = match command.body {
                Body::SendFragment(Fragment { start, offset, .. })
                | Body::SendUnreliableFragment(Fragment { start, offset, .. }) => {
                    let is_reliable = command.wants_acknowledgement();
                    let key = FragmentKey { direction, channel, is_reliable, start };
                    Content::Fragment { key, is_first: offset == 0 }
                }
                _ => Content::Packet,
            };
            if let Body::Connect(_) = command.body {
                // A new connection of the address.
                *self = Self::new(self.names.take());
            }
            if start < next {
                self.mask_payload(direction, content, &mut bytes[start..next]);
            }
            at = next;
        }
    }

    fn mask_payload(&mut self, direction: Direction, content: Content, payload: &mut [u8]) {
        match content {
            Content::Packet => drop(self.masker.mask(direction, payload)),
            Content::Fragment { key, is_first: true } => {
                let has_secrets = self.masker.mask(direction, payload);
                self.fragmented.retain(|(known, _)| *known != key);
                if self.fragmented.len() == FRAGMENTED_MAX {
                    self.fragmented.pop_front();
                }
                self.fragmented.push_back((key, has_secrets));
            }
            Content::Fragment { key, is_first: false } => {
                let known = self.fragmented.iter().find(|(known, _)| *known == key);
                if known.is_none_or(|(_, has_secrets)| *has_secrets) {
                    payload.fill(MASK);
                }
            }
        }
    }
}

/// Length of the head that all commands have.
const HEAD_LEN: usize = 4;
/// Maximum number of fragmented packets that a session remembers. Fragments of others are masked.
const FRAGMENTED_MAX: usize = 256;

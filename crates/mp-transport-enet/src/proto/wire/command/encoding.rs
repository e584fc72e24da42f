//! Encoding and decoding of commands.

use super::fields::{Reader, Writer};
use super::{Body, Command, CommandError, Connect};

impl<'a> Command<'a> {
    /// Parses the command at the start of `bytes`. Returns it and the bytes after it.
    ///
    /// # Errors
    ///
    /// The bytes are too short, or the command is unknown.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), CommandError> {
        let mut reader = Reader::new(bytes);
        let first = reader.u8()?;
        let channel = reader.u8()?;
        let sequence = reader.u16()?;
        let body = match first & NUMBER {
            1 => Body::Acknowledge { sequence: reader.u16()?, sent_time: reader.u16()? },
            2 => Body::Connect(Connect { terms: reader.terms()?, data: reader.u32()? }),
            3 => Body::VerifyConnect(reader.terms()?),
            4 => Body::Disconnect { data: reader.u32()? },
            5 => Body::Ping,
            6 => {
                let len = reader.u16()?;
                Body::SendReliable { payload: reader.bytes(len)? }
            }
            7 => {
                let (sequence, len) = (reader.u16()?, reader.u16()?);
                Body::SendUnreliable { sequence, payload: reader.bytes(len)? }
            }
            8 => Body::SendFragment(reader.fragment()?),
            9 => {
                let (group, len) = (reader.u16()?, reader.u16()?);
                Body::SendUnsequenced { group, payload: reader.bytes(len)? }
            }
            10 => Body::BandwidthLimit { incoming: reader.u32()?, outgoing: reader.u32()? },
            11 => Body::ThrottleConfigure(reader.throttle()?),
            12 => Body::SendUnreliableFragment(reader.fragment()?),
            number => return Err(CommandError::Unknown(number)),
        };
        Ok((Self { flags: first & !NUMBER, channel, sequence, body }, reader.rest()))
    }

    /// Writes the command to the start of `out`, whose length must be at least
    /// [`encoded_len`](Self::encoded_len). Returns that length.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let payload = self.body.payload();
        let fixed = self.emit_fixed(out, payload.len() as u16);
        out[fixed..fixed + payload.len()].copy_from_slice(payload);
        fixed + payload.len()
    }

    /// Writes the command without its payload, which has `payload_len` bytes. Returns the length
    /// written.
    pub(crate) fn emit_fixed(&self, out: &mut [u8], payload_len: u16) -> usize {
        let mut writer = Writer::new(out);
        writer.u8(self.flags & !NUMBER | self.body.number());
        writer.u8(self.channel);
        writer.u16(self.sequence);
        match self.body {
            Body::Acknowledge { sequence, sent_time } => {
                writer.u16(sequence);
                writer.u16(sent_time);
            }
            Body::Connect(connect) => {
                writer.terms(&connect.terms);
                writer.u32(connect.data);
            }
            Body::VerifyConnect(terms) => writer.terms(&terms),
            Body::Disconnect { data } => writer.u32(data),
            Body::Ping => {}
            Body::SendReliable { .. } => writer.u16(payload_len),
            Body::SendUnreliable { sequence: number, .. }
            | Body::SendUnsequenced { group: number, .. } => {
                writer.u16(number);
                writer.u16(payload_len);
            }
            Body::SendFragment(fragment) | Body::SendUnreliableFragment(fragment) => {
                writer.u16(fragment.start);
                writer.u16(payload_len);
                writer.u32(fragment.count);
                writer.u32(fragment.number);
                writer.u32(fragment.total);
                writer.u32(fragment.offset);
            }
            Body::BandwidthLimit { incoming, outgoing } => {
                writer.u32(incoming);
                writer.u32(outgoing);
            }
            Body::ThrottleConfigure(throttle) => writer.throttle(&throttle),
        }
        writer.len()
    }
}

impl Body<'_> {
    /// Returns the command number on the wire.
    const fn number(&self) -> u8 {
        match self {
            Self::Acknowledge { .. } => 1,
            Self::Connect(_) => 2,
            Self::VerifyConnect(_) => 3,
            Self::Disconnect { .. } => 4,
            Self::Ping => 5,
            Self::SendReliable { .. } => 6,
            Self::SendUnreliable { .. } => 7,
            Self::SendFragment(_) => 8,
            Self::SendUnsequenced { .. } => 9,
            Self::BandwidthLimit { .. } => 10,
            Self::ThrottleConfigure(_) => 11,
            Self::SendUnreliableFragment(_) => 12,
        }
    }
}

/// Mask of the command number in the first byte.
const NUMBER: u8 = 0x0f;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hex: &str, display: &str) {
        let bytes = unhex(hex);
        let (command, rest) = Command::parse(&bytes).unwrap();
        assert!(rest.is_empty());
        assert_eq!(command.to_string(), display);
        assert_eq!(command.encoded_len(), bytes.len());
        let mut out = vec![0xaa; bytes.len()];
        assert_eq!(command.emit(&mut out), bytes.len());
        assert_eq!(out, bytes);
        for len in 0..bytes.len() {
            assert_eq!(Command::parse(&bytes[..len]), Err(CommandError::Truncated), "{len}");
        }
    }

    fn unhex(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    // The bytes below were sent by Godot 4.6.3.

    #[test]
    fn connect() {
        check(
            "82ff0001 0000ffff 00000570 00010000 000000ff 00000000 00000000 00001388 00000002 00000002 b42ba943 7ae8eddc",
            "CONNECT peer 0 sessions 255/255 mtu 1392 window 65536 channels 255 in 0 out 0 throttle 5000 ms +2 -2 \
             id b42ba943 data 2062085596 (peer, sequence 1)",
        );
    }

    #[test]
    fn verify_connect() {
        check(
            "83ff0001 00000000 00000570 00010000 000000ff 00000000 00000000 00001388 00000002 00000002 b42ba943",
            "VERIFY_CONNECT peer 0 sessions 0/0 mtu 1392 window 65536 channels 255 in 0 out 0 throttle 5000 ms +2 -2 \
             id b42ba943 (peer, sequence 1)",
        );
    }

    #[test]
    fn acknowledge_and_ping() {
        check("01ff0001 0001 89f4", "ACKNOWLEDGE 1 of time 35316 (peer, sequence 1)");
        check("85ff0002", "PING (peer, sequence 2)");
    }

    #[test]
    fn disconnect() {
        check("84ff0003 0000004d", "DISCONNECT data 77 (peer, sequence 3)");
        check("44ff0003 000004d2", "DISCONNECT data 1234 (peer, sequence 3)");
    }

    #[test]
    fn packets() {
        check("86000001 0005 0001020304", "SEND_RELIABLE 5 bytes (channel 0, sequence 1)");
        check(
            "07010000 0001 0005 0001020304",
            "SEND_UNRELIABLE 1, 5 bytes (channel 1, sequence 0)",
        );
        check(
            "49010000 0001 0005 0001020304",
            "SEND_UNSEQUENCED 1, 5 bytes (channel 1, sequence 0)",
        );
    }

    #[test]
    fn fragments() {
        check(
            "88000002 0001 0003 0000004c 00000001 00019000 00000554 545556",
            "SEND_FRAGMENT 1 of 76 from 1: 3 bytes at 1364 of 102400 (channel 0, sequence 2)",
        );
        check(
            "0c010000 0001 0003 00000003 00000000 00000bb8 00000000 000102",
            "SEND_UNRELIABLE_FRAGMENT 0 of 3 from 1: 3 bytes at 0 of 3000 (channel 1, sequence 0)",
        );
    }

    #[test]
    fn limits() {
        check("8aff0002 00000000 00013880", "BANDWIDTH_LIMIT in 0 out 80000 (peer, sequence 2)");
        check(
            "8bff0003 000003e8 00000003 00000004",
            "THROTTLE_CONFIGURE 1000 ms +3 -4 (peer, sequence 3)",
        );
    }

    #[test]
    fn unknown_command_numbers_are_rejected() {
        for number in [0, 13, 14, 15] {
            assert_eq!(
                Command::parse(&[0x80 | number, 0xff, 0, 1]),
                Err(CommandError::Unknown(number)),
            );
        }
    }

    #[test]
    fn a_packet_longer_than_its_datagram_is_rejected() {
        let bytes = unhex("86000001 0006 0001020304");
        assert_eq!(Command::parse(&bytes), Err(CommandError::Truncated));
    }
}

//! Encoding and decoding of single messages and values.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use mp::core::Variant;
use mp::core::variant::{Transform3D, Vector3};
use mp::prelude::{array, dict};
use mp::scene::codec::godot::compressed::{decode_compressed_list, encode_compressed_list};
use mp::scene::codec::godot::elements::{delta_elements, put_delta, put_sync, sync_elements};
use mp::scene::codec::{Codec, Limits, Objects, bytes_to_var, var_to_bytes};
use mp::scene::{CallNode, RemoteCall, SceneMessage, Spawn, SpawnSource};

use crate::{Counts, counted};

/// Returns a call as a game makes many: an int, a Vector3 and a String.
pub(crate) fn rpc() -> SceneMessage {
    let position = Vector3 { x: 1.5, y: 0.0, z: -7.25 };
    let args = vec![Variant::from(42), position.into(), Variant::from("jump")];
    let node = CallNode::Id { id: 7, wide: false };
    SceneMessage::RemoteCall(RemoteCall { node, method: 3, args, complete: true })
}

/// Returns the announcement of a node.
pub(crate) fn spawn() -> SceneMessage {
    let mut state = BytesMut::new();
    for value in [Variant::from("Ann"), Variant::from(100), Vector3::default().into()] {
        let encoded = var_to_bytes(&value).expect("the value can be encoded");
        state.extend_from_slice(&encoded);
    }
    SceneMessage::Spawn(Spawn {
        source: SpawnSource::Scene(0),
        spawner: 1,
        net_id: 900,
        synchronizers: vec![901, 902],
        name: "Player 4711".to_owned(),
        state: state.freeze(),
    })
}

/// Returns the values of a synchronizer: a position, a rotation and a state.
fn properties() -> [Variant; 3] {
    [Vector3 { x: 1.5, y: 0.0, z: -7.25 }.into(), Variant::from(0.25), Variant::from(3)]
}

/// Id of the synchronizer.
const SYNCHRONIZER: u32 = 901;

fn value() -> Variant {
    let pose = Transform3D::default();
    Variant::from(dict! {
        "name" => "Ann", "health" => 100, "pose" => pose, "alive" => true,
        "path" => array![Vector3::default(), Vector3 { x: 1.0, y: 2.0, z: 3.0 }],
        "items" => array!["sword", "shield", array![1, 2.5, false]],
    })
}

/// Encodes `message` repeatedly into one buffer, as the sender of a branch does.
pub(crate) fn encode(message: &SceneMessage, operations: u32) -> Counts {
    let mut out = BytesMut::with_capacity(1 << 12);
    counted(operations, |_| {
        out.clear();
        let encoded = Codec::default().encode(black_box(message), Objects::Ids, &mut out);
        encoded.expect("the message can be encoded");
        out.len()
    })
}

/// Decodes the packet of `message` repeatedly.
pub(crate) fn decode(message: &SceneMessage, operations: u32) -> Counts {
    let mut out = BytesMut::new();
    let encoded = Codec::default().encode(message, Objects::Ids, &mut out);
    encoded.expect("the message can be encoded");
    let (packet, limits) = (out.freeze(), Limits::default());
    counted(operations, |_| {
        let decoded = Codec::default().decode(black_box(&packet), &limits);
        black_box(decoded.expect("the packet is valid"));
        packet.len()
    })
}

/// Encodes a SYNC with the values of one synchronizer repeatedly.
pub(crate) fn encode_sync(operations: u32) -> Counts {
    let properties = properties();
    let (mut values, mut out) =
        (BytesMut::with_capacity(1 << 12), BytesMut::with_capacity(1 << 12));
    counted(operations, |time| {
        encode_sync_into(black_box(&properties), time as u16, &mut values, &mut out);
        out.len()
    })
}

fn encode_sync_into(properties: &[Variant], time: u16, values: &mut BytesMut, out: &mut BytesMut) {
    values.clear();
    out.clear();
    let head = SceneMessage::Sync { time, elements: Bytes::new() };
    let encoded = Codec::default().encode(&head, Objects::Ids, out);
    encoded.expect("the message can be encoded");
    let encoded = encode_compressed_list(properties, Objects::Ids, values);
    encoded.expect("the values can be encoded");
    put_sync(SYNCHRONIZER, values, out);
}

/// Decodes such a SYNC and its values repeatedly.
pub(crate) fn decode_sync(operations: u32) -> Counts {
    let mut out = BytesMut::new();
    encode_sync_into(&properties(), 1, &mut BytesMut::new(), &mut out);
    let (packet, limits) = (out.freeze(), Limits::default());
    counted(operations, |_| {
        let packet = black_box(&packet);
        let message = Codec::default().decode(packet, &limits);
        black_box(message.expect("the packet is valid"));
        for (_, values) in sync_elements(packet) {
            let decoded = decode_compressed_list(&mut &values[..], 3, &limits);
            black_box(decoded.expect("the values are valid"));
        }
        packet.len()
    })
}

/// Encodes a DELTA with two changed values of one synchronizer repeatedly.
pub(crate) fn encode_delta(operations: u32) -> Counts {
    let properties = properties();
    let mut buffers = [(); 3].map(|()| BytesMut::with_capacity(1 << 12));
    counted(operations, |_| {
        let [first, second, out] = &mut buffers;
        encode_delta_into(black_box(&properties), [first, second], out);
        out.len()
    })
}

/// Encodes the first value as that of property 0, and the last one as that of property 2.
fn encode_delta_into(properties: &[Variant], mut values: [&mut BytesMut; 2], out: &mut BytesMut) {
    out.clear();
    let head = SceneMessage::Delta(Bytes::new());
    let encoded = Codec::default().encode(&head, Objects::Ids, out);
    encoded.expect("the message can be encoded");
    for (value, buffer) in [&properties[0], &properties[2]].into_iter().zip(&mut values) {
        buffer.clear();
        let encoded = encode_compressed_list([value], Objects::Ids, buffer);
        encoded.expect("the value can be encoded");
    }
    let [first, second] = values;
    put_delta(SYNCHRONIZER, [(0, &first[..]), (2, &second[..])].into_iter(), out);
}

/// Decodes such a DELTA and its values repeatedly.
pub(crate) fn decode_delta(operations: u32) -> Counts {
    let mut out = BytesMut::new();
    encode_delta_into(&properties(), [&mut BytesMut::new(), &mut BytesMut::new()], &mut out);
    let (packet, limits) = (out.freeze(), Limits::default());
    counted(operations, |_| {
        let packet = black_box(&packet);
        let message = Codec::default().decode(packet, &limits);
        black_box(message.expect("the packet is valid"));
        for (_, mask, values) in delta_elements(packet) {
            let count = mask.count_ones() as usize;
            let decoded = decode_compressed_list(&mut &values[..], count, &limits);
            black_box(decoded.expect("the values are valid"));
        }
        packet.len()
    })
}

/// Encodes a nested value repeatedly.
pub(crate) fn encode_variant(operations: u32) -> Counts {
    let value = value();
    counted(operations, |_| {
        let encoded = var_to_bytes(black_box(&value));
        encoded.expect("the value can be encoded").len()
    })
}

/// Decodes a nested value repeatedly.
pub(crate) fn decode_variant(operations: u32) -> Counts {
    let encoded = Bytes::from(var_to_bytes(&value()).expect("the value can be encoded"));
    counted(operations, |_| {
        black_box(bytes_to_var(black_box(&encoded)).expect("the bytes are valid"));
        encoded.len()
    })
}

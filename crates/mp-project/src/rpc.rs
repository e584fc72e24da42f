//! RPC methods: the settings of `@rpc(…)`, their order and their checksum.

use std::fmt;
use std::path::PathBuf;

use md5::{Digest, Md5};

use crate::error::{Position, SyntaxError};
use crate::gdscript::{Constant, RpcAnnotation, Scope};

/// Allowed callers of an RPC method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RpcMode {
    /// `"any_peer"`: any peer.
    AnyPeer,
    /// `"authority"`: the peer that has authority over the node. The default.
    #[default]
    Authority,
}

/// Transfer mode of an RPC method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransferMode {
    /// `"unreliable"`.
    Unreliable,
    /// `"unreliable_ordered"`.
    UnreliableOrdered,
    /// `"reliable"`. The default: Godot's documentation of `@rpc` names `"unreliable"`, but a bare
    /// `@rpc` is reliable.
    #[default]
    Reliable,
}

/// Settings of an RPC method. `Display` prints them as `@rpc(…)` with those that differ from
/// Godot's defaults, and all four if the channel does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RpcConfig {
    /// Allowed callers. Default: the authority.
    pub mode: RpcMode,
    /// True if a call also runs locally (`"call_local"`). Default: false.
    pub call_local: bool,
    /// Transfer mode. Default: reliable.
    pub transfer_mode: TransferMode,
    /// Channel. Default: 0. Godot accepts any integer.
    pub channel: i64,
}

/// An argument of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Argument {
    /// Name.
    pub name: String,
    /// The type as it is written, for example `Array[int]`; `None` if it has none or is inferred.
    pub type_name: Option<String>,
    /// True if the argument has a default value.
    pub has_default: bool,
    /// True for `...rest`, which receives all further arguments.
    pub is_rest: bool,
}

/// An RPC method of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RpcMethod {
    /// Name.
    pub name: String,
    /// Settings. A method that overrides one of a base script without `@rpc` has the settings of
    /// the base script's.
    pub config: RpcConfig,
    /// Arguments.
    pub arguments: Vec<Argument>,
    /// Absolute path of the file that declares the function: the script's, or that of a base.
    pub file: PathBuf,
    /// Position of the function's name in the file.
    pub position: Position,
}

impl RpcMethod {
    /// Returns the number of arguments that a caller must pass.
    pub fn required_arguments(&self) -> usize {
        self.arguments.iter().filter(|argument| !argument.has_default && !argument.is_rest).count()
    }
}

impl RpcConfig {
    /// Evaluates an annotation by Godot's rules: up to three strings in any order, then the channel
    /// as fourth argument.
    pub(crate) fn evaluate(rpc: &RpcAnnotation, scope: Scope<'_>) -> Result<Self, SyntaxError> {
        let mut config = Self::default();
        let mut given = [false; 3];
        for (index, argument) in rpc.arguments.iter().enumerate() {
            let wrong = |message: String| Err(SyntaxError::new(argument.position, message));
            let value = argument.evaluate(scope)?;
            let word = match (index, &value) {
                (0..3, Constant::Text(word)) => word.as_str(),
                (0..3, _) => {
                    let number = index + 1;
                    let value = value.describe();
                    return wrong(format!(
                        "argument {number} of @rpc is a string, not {value}; the channel is argument 4"
                    ));
                }
                (3, Constant::Int(channel)) => {
                    config.channel = *channel;
                    continue;
                }
                // Godot converts floats.
                (3, Constant::Float(channel)) => {
                    config.channel = *channel as i64;
                    continue;
                }
                (3, _) => {
                    let value = value.describe();
                    return wrong(format!("argument 4 of @rpc is a channel, not {value}"));
                }
                _ => return wrong("@rpc has at most four arguments".to_owned()),
            };
            let group = match word {
                "any_peer" => {
                    config.mode = RpcMode::AnyPeer;
                    0
                }
                "authority" => {
                    config.mode = RpcMode::Authority;
                    0
                }
                "call_local" => {
                    config.call_local = true;
                    1
                }
                "call_remote" => {
                    config.call_local = false;
                    1
                }
                "reliable" => {
                    config.transfer_mode = TransferMode::Reliable;
                    2
                }
                "unreliable" => {
                    config.transfer_mode = TransferMode::Unreliable;
                    2
                }
                "unreliable_ordered" => {
                    config.transfer_mode = TransferMode::UnreliableOrdered;
                    2
                }
                _ => {
                    return wrong(format!(
                        "@rpc has no {word:?}; use any_peer or authority, call_local or call_remote, reliable, unreliable or unreliable_ordered"
                    ));
                }
            };
            if std::mem::replace(&mut given[group], true) {
                let words = ["any_peer or authority", "call_local or call_remote", "transfer mode"];
                return wrong(format!("@rpc has more than one {}", words[group]));
            }
        }
        Ok(config)
    }
}

impl fmt::Display for RpcConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, call_local, transfer_mode, channel } = *self;
        let all = channel != 0;
        let mut words = Vec::new();
        if all || mode != RpcMode::default() {
            words.push(mode.to_string());
        }
        if all || call_local {
            words.push(if call_local { "call_local" } else { "call_remote" }.to_owned());
        }
        if all || transfer_mode != TransferMode::default() {
            words.push(transfer_mode.to_string());
        }
        let mut words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
        if all {
            words.push(channel.to_string());
        }
        match words.is_empty() {
            true => f.write_str("@rpc"),
            false => write!(f, "@rpc({})", words.join(", ")),
        }
    }
}

impl fmt::Display for RpcMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyPeer => "any_peer",
            Self::Authority => "authority",
        })
    }
}

impl fmt::Display for TransferMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreliable => "unreliable",
            Self::UnreliableOrdered => "unreliable_ordered",
            Self::Reliable => "reliable",
        })
    }
}

/// Returns the checksum of a table: the MD5 of its names in order, as 32 hexadecimal digits.
pub(crate) fn checksum(methods: &[RpcMethod]) -> String {
    let mut md5 = Md5::new();
    for method in methods {
        md5.update(method.name.as_bytes());
    }
    md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_printed_as_an_annotation() {
        let mut config = RpcConfig::default();
        assert_eq!(config.to_string(), "@rpc");
        config.mode = RpcMode::AnyPeer;
        config.transfer_mode = TransferMode::UnreliableOrdered;
        assert_eq!(config.to_string(), r#"@rpc("any_peer", "unreliable_ordered")"#);
        config.channel = 2;
        let all = r#"@rpc("any_peer", "call_remote", "unreliable_ordered", 2)"#;
        assert_eq!(config.to_string(), all);
    }
}

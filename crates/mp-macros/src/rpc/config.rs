//! The words of `#[rpc(…)]`.

use std::fmt;

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitInt, LitStr, Meta, Result};

/// The settings of an RPC. `None`: not written, so Godot's default.
#[derive(Default)]
pub(crate) struct Config {
    any_peer: Option<bool>,
    call_local: Option<bool>,
    mode: Option<Mode>,
    channel: Option<u8>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) is_stub: bool,
}

/// The settings of an RPC that all peers must agree on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) any_peer: bool,
    pub(crate) call_local: bool,
    pub(crate) mode: Mode,
    /// Godot accepts any integer.
    pub(crate) channel: i64,
}

/// The transfer mode of calls.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Reliable,
    Unreliable,
    UnreliableOrdered,
}

const WORDS: &str = "any_peer or authority, call_local or call_remote, reliable, unreliable or \
                     unreliable_ordered, channel = N, rename = \"name\", stub";

impl Config {
    pub(crate) fn parse(attr: &Attribute) -> Result<Self> {
        let mut config = Self::default();
        if !matches!(attr.meta, Meta::Path(_)) {
            attr.parse_nested_meta(|word| config.add(&word))?;
        }
        Ok(config)
    }

    fn add(&mut self, word: &ParseNestedMeta<'_>) -> Result<()> {
        let name = word.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match &*name {
            "any_peer" | "authority" => {
                let group = "who may call (any_peer, authority)";
                set(&mut self.any_peer, word, group, name == "any_peer")
            }
            "call_local" | "call_remote" => {
                let group = "where a call runs (call_local, call_remote)";
                set(&mut self.call_local, word, group, name == "call_local")
            }
            "reliable" => self.set_mode(word, Mode::Reliable),
            "unreliable" => self.set_mode(word, Mode::Unreliable),
            "unreliable_ordered" => self.set_mode(word, Mode::UnreliableOrdered),
            "channel" => {
                let channel = word.value()?.parse::<LitInt>()?.base10_parse()?;
                set(&mut self.channel, word, "the channel", channel)
            }
            "rename" => {
                let name = word.value()?.parse()?;
                set(&mut self.rename, word, "the name", name)
            }
            "stub" => {
                self.is_stub = true;
                Ok(())
            }
            "remote" => Err(word.error(
                "Godot 4 has no \"remote\"; write any_peer (all peers may call) or authority (the \
                 default)",
            )),
            "server" | "master" | "puppet" | "sync" | "remotesync" | "any" => {
                Err(word.error(format!(
                    "Godot 4 has no {name:?}: the receiver checks who calls; write any_peer or \
                     authority"
                )))
            }
            _ => Err(word.error(format!("unknown: {name}; an #[rpc] takes {WORDS}"))),
        }
    }

    fn set_mode(&mut self, word: &ParseNestedMeta<'_>, mode: Mode) -> Result<()> {
        set(&mut self.mode, word, "the transfer mode", mode)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            any_peer: self.any_peer.unwrap_or(false),
            call_local: self.call_local.unwrap_or(false),
            mode: self.mode.unwrap_or_default(),
            channel: self.channel.unwrap_or(0).into(),
        }
    }

    /// Returns the expression of the `RpcConfig`.
    pub(crate) fn expand(&self) -> TokenStream {
        let Settings { any_peer, call_local, mode, .. } = self.settings();
        let mut config = if any_peer {
            quote!(::mp::__macros::RpcConfig::any_peer())
        } else {
            quote!(::mp::__macros::RpcConfig::authority())
        };
        if call_local {
            config.extend(quote!(.call_local()));
        }
        match mode {
            Mode::Reliable => {}
            Mode::Unreliable => config.extend(quote!(.unreliable())),
            Mode::UnreliableOrdered => config.extend(quote!(.unreliable_ordered())),
        }
        if let Some(channel) = self.channel {
            config.extend(quote!(.channel(#channel)));
        }
        config
    }
}

/// Sets a setting that can be written once.
fn set<T>(
    setting: &mut Option<T>,
    word: &ParseNestedMeta<'_>,
    group: &str,
    value: T,
) -> Result<()> {
    if setting.is_some() {
        return Err(word.error(format!("{group} is said twice")));
    }
    *setting = Some(value);
    Ok(())
}

/// The words as they are written in `#[rpc(…)]`, defaults left out except for the callers.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.any_peer { "any_peer" } else { "authority" })?;
        if self.call_local {
            f.write_str(", call_local")?;
        }
        match self.mode {
            Mode::Reliable => {}
            Mode::Unreliable => f.write_str(", unreliable")?,
            Mode::UnreliableOrdered => f.write_str(", unreliable_ordered")?,
        }
        match self.channel {
            0 => Ok(()),
            channel => write!(f, ", channel = {channel}"),
        }
    }
}

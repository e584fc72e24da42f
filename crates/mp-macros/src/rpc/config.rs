//! The words of `#[rpc(…)]`.

use std::fmt;

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, LitInt, LitStr, Meta, Result};

/// The settings of an RPC. `None`: not written, so Godot's default.
#[derive(Default)]
pub(crate) struct Config {
    any_peer: Option<bool>,
    call_local: Option<bool>,
    mode: Option<Mode>,
    channel: Option<u8>,
    rate: Option<Rate>,
    max_bytes: Option<u32>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) is_stub: bool,
    /// True for `#[request]`.
    pub(crate) is_request: bool,
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

impl Settings {
    /// The settings of the RPC by which a request is answered.
    pub(crate) const ANSWER: Self =
        Self { any_peer: true, call_local: false, mode: Mode::Reliable, channel: 0 };
}

/// A number of calls per number of seconds.
#[derive(Clone, Copy)]
struct Rate {
    calls: u32,
    seconds: u32,
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
                     unreliable_ordered, channel = N, rate = \"20/s\", max_bytes = N, \
                     rename = \"name\", stub";

impl Config {
    pub(crate) fn parse(attr: &Attribute) -> Result<Self> {
        let is_request = attr.path().is_ident("request");
        let mut config = Self { is_request, ..Self::default() };
        if !matches!(attr.meta, Meta::Path(_)) {
            attr.parse_nested_meta(|word| config.add(&word))?;
        }
        Ok(config)
    }

    fn add(&mut self, word: &ParseNestedMeta<'_>) -> Result<()> {
        let name = word.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match &*name {
            "call_local" | "stub" if self.is_request => {
                Err(word.error("a request asks another peer, which answers it"))
            }
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
            "rate" => {
                let rate = Rate::parse(&word.value()?.parse()?)?;
                set(&mut self.rate, word, "the rate", rate)
            }
            "max_bytes" => {
                let bytes = word.value()?.parse::<LitInt>()?.base10_parse()?;
                set(&mut self.max_bytes, word, "max_bytes", bytes)
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

    /// Returns whether received calls are limited.
    pub(crate) fn is_limited(&self) -> bool {
        self.rate.is_some() || self.max_bytes.is_some()
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
        if let Some(Rate { calls, seconds }) = self.rate {
            config.extend(quote!(.rate(::mp::__macros::rate(#calls, #seconds))));
        }
        if let Some(bytes) = self.max_bytes {
            config.extend(quote!(.max_bytes(#bytes)));
        }
        config
    }
}

impl Rate {
    /// Parses a number of calls per time: `20/s`, `100/10s`, `5/min`, `1/h`.
    fn parse(text: &LitStr) -> Result<Self> {
        let value = text.value();
        let parts = value.split_once('/').and_then(|(calls, time)| {
            let unit = time.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let number = &time[..time.len() - unit.len()];
            let number = if number.is_empty() { Some(1) } else { number.parse().ok() };
            let unit = match unit {
                "s" => 1,
                "min" => 60,
                "h" => 3_600,
                _ => return None,
            };
            let seconds = number.and_then(|number: u32| number.checked_mul(unit))?;
            Some(Self { calls: calls.parse().ok()?, seconds })
        });
        let is_positive = |rate: &Self| rate.calls > 0 && rate.seconds > 0;
        let message = "a rate is a number of calls per time: \"20/s\", \"100/10s\", \"5/min\"";
        parts.filter(is_positive).ok_or_else(|| Error::new(text.span(), message))
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

/// Writes the words of `#[rpc(…)]`. Defaults are omitted, except for the callers.
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

//! Errors of TOML files with their place in the text, and suggestions for misspelled names, as
//! `mp-server` prints them for its configuration and for scenarios of bots.
//!
//! ```
//! let text = "players = ten\n";
//! let place = mp_toml::Place { file: "bots.toml", text, span: 10..13 };
//! let error = mp_toml::render(&place, "must be a whole number", None, Some("write 10"));
//! assert!(error.contains("bots.toml:1:11") && error.contains("^^^"), "{error}");
//! assert_eq!(mp_toml::did_you_mean("plyers", ["players", "phase"]), Some("players"));
//! ```

mod place;
mod suggest;
#[cfg(feature = "testing")]
pub mod testing;

pub use place::{Place, has_secret, is_secret_name, line_number, render};
pub use suggest::{did_you_mean, plain};

//! Flags of the command line, built from the table of settings.

use clap::{Arg, ArgAction, ArgMatches};

use super::env;
use super::error::{Problem, Problems};
use super::key::{Key, Kind, Preset};
use super::section::Section;
use super::sections::SECTIONS;
use super::value::Value;
use super::values::{Origin, Values};

/// Texts of the flags that were given, by name without dashes.
pub(crate) type Flags = Vec<(&'static str, String)>;

/// Returns the settings that have a flag. A flag with several settings occurs several times.
fn keys() -> impl Iterator<Item = (&'static Section, &'static Key, &'static str)> {
    let keys =
        SECTIONS.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key)));
    keys.filter_map(|(section, key)| key.flag.map(|flag| (section, key, flag)))
}

/// Returns the arguments of all flags for clap.
pub(crate) fn args() -> Vec<Arg> {
    let mut args: Vec<Arg> = Vec::new();
    for (_, key, flag) in keys() {
        if args.iter().all(|arg| arg.get_id() != flag) {
            args.push(arg(key, flag));
        }
    }
    args
}

fn arg(key: &'static Key, flag: &'static str) -> Arg {
    let (summary, details) = key.help_parts();
    let default = match key.preset {
        Preset::Switch(_) | Preset::EmptyList | Preset::EmptyTable | Preset::Required => {
            String::new()
        }
        Preset::Unset("none") => String::new(),
        Preset::Text(text) => format!(" [default: {text}]"),
        Preset::Number(number) => format!(" [default: {number}]"),
        Preset::Unset(means) => format!(" [default: {means}]"),
    };
    let notes = format!("{default} [env: {}]", env::of_flag(flag));
    let mut arg = Arg::new(flag).long(flag).help(format!("{summary}{notes}"));
    if let Some(details) = details {
        arg = arg.long_help(format!("{summary}\n\n{details}\n\n{}", notes.trim_start()));
    }
    match key.kind {
        Kind::Switch => arg.action(ArgAction::SetTrue),
        Kind::Words(_) | Kind::Texts(_) => {
            arg.value_name(value_name(key)).action(ArgAction::Append)
        }
        _ => arg.value_name(value_name(key)).action(ArgAction::Set).allow_negative_numbers(true),
    }
}

/// Returns the name of a flag's value in the help.
fn value_name(key: &Key) -> &'static str {
    match key.kind {
        Kind::Seconds { .. } => "SECONDS",
        Kind::Bytes { .. } => "BYTES",
        Kind::Number { .. } => "N",
        Kind::Word(_) => "NAME",
        Kind::Words(_) => "NAME,…",
        Kind::Text(rule) => rule.noun,
        Kind::Texts(rule) => rule.noun,
        Kind::Switch | Kind::Table => "VALUE",
    }
}

/// Returns the flags that were given.
pub(crate) fn given(matches: &ArgMatches) -> Flags {
    let mut flags = Flags::new();
    for arg in args() {
        let Some((_, key, flag)) = keys().find(|(_, _, flag)| arg.get_id() == flag) else {
            continue;
        };
        if let Kind::Switch = key.kind {
            if matches.get_flag(flag) {
                flags.push((flag, "true".to_owned()));
            }
        } else if let Some(texts) = matches.get_many::<String>(flag) {
            flags.push((flag, texts.cloned().collect::<Vec<_>>().join(",")));
        }
    }
    flags
}

/// Sets the values that flags contain.
pub(crate) fn apply(values: &mut Values, flags: &Flags, problems: &mut Problems) {
    for (flag, text) in flags {
        for (section, key, _) in keys().filter(|(_, _, name)| name == flag) {
            let origin = Origin::Flag(flag);
            let table = values.table_mut(section, env::name_for_flags(section), &origin);
            match Value::from_text(key, text) {
                Ok(value) => table.set(key, value, origin),
                Err(invalid) => {
                    let message = format!("--{flag} {}", invalid.reason);
                    problems.push(Problem::new(&origin, message).help(invalid.help));
                    break;
                }
            }
        }
    }
}

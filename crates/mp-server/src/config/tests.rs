use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::key::{Effect, Preset};
use super::section::Shape;
use super::sections::SECTIONS;
use super::*;

fn sources(variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
    Sources {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        flags: flags.iter().map(|(name, value)| (*name, (*value).into())).collect(),
        ..Sources::default()
    }
}

#[test]
fn default_text_is_valid_and_equals_the_defaults() {
    let text = Config::default_text();
    let printed = Config::parse(&text).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    let reload = Config::default().reload(&text).unwrap();
    assert_eq!(reload.changes, []);
    let keys = SECTIONS.iter().filter(|it| it.shape != Shape::List).flat_map(|it| it.keys);
    let set = keys.filter(|key| key.preset.value().is_some()).count();
    let tables = SECTIONS.iter().filter(|it| it.shape != Shape::List && !it.name.is_empty());
    let from_file = printed.effective_text().matches("# mp-server.toml:").count();
    assert_eq!(from_file, set + tables.count());
}

#[test]
fn examples_in_the_default_text_are_valid() {
    let mut text = String::new();
    for line in Config::default_text().lines() {
        match line.strip_prefix('#').filter(|line| !line.starts_with(' ')) {
            Some(setting) => text.push_str(setting),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    // [listen] and [[listen]] exclude each other.
    let (before, rest) = text.split_once("\n[listen]\n").unwrap();
    let (_, in_full) = rest.split_once("\n[[listen]]\n").unwrap();
    let text = format!("{before}\n[[listen]]\n{in_full}")
        .replace("private = false", "private = true")
        .replace("\nhost = \"none\"", "\nhost = \"tunnel\"");
    let text = text.replacen("trusted_proxies = 1\n", "", 1);
    // Games behind a tunnel are not recorded.
    let text = text.replacen("record = \"recordings\"\n", "", 1);
    // A user of NATS has a password or a file.
    let text = text.replacen("user = \"mp\"\n", "", 1).replacen("password = \"PASSWORD\"\n", "", 1);
    let config = Config::parse(&text).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    assert_eq!(config.rooms[0].name, "lobby");
}

#[test]
fn defaults_are_in_range_and_documented() {
    for section in SECTIONS {
        for key in section.keys {
            let name = format!("{}.{}", section.name, key.name);
            assert!(!key.help.is_empty() && !key.help_parts().0.ends_with('.'), "{name}");
            let needs_example = matches!(
                key.preset,
                Preset::Unset(_) | Preset::Required | Preset::EmptyList | Preset::EmptyTable
            );
            assert!(!key.is_secret() || mp_toml::is_secret_name(key.name), "{name}");
            assert_eq!(needs_example, !key.example.is_empty(), "{name}");
        }
    }
}

#[test]
fn later_layers_take_precedence() {
    let file = "[enet]\nshards = 2\n[websocket]\ntrusted_proxies = 2\n[limits]\nmax_clients = 2\n";
    let variables = [("MP_TRUSTED_PROXIES", "3"), ("MP_LIMITS__MAX_CLIENTS", "3")];
    let config = Config::layered(file, sources(&variables, &[("max-clients", "4")])).unwrap();
    assert_eq!(config.enet.shards, 2);
    assert_eq!(config.listen[1].trusted_proxies, 3);
    assert_eq!(config.limits.max_clients, 4);
    assert_eq!(config.templates["default"].max_players, 4, "the flag sets both");
    let text = config.effective_text();
    for line in [
        "shards = 2  # mp-server.toml:2",
        "trusted_proxies = 3   # environment MP_TRUSTED_PROXIES",
        "max_clients = 4  ",
        "# flag --max-clients",
        "max_rooms = 10_000 ",
        "# default",
    ] {
        let is_there = text.lines().any(|it| {
            let it = it.split_whitespace().collect::<Vec<_>>().join(" ");
            it.contains(line.split_whitespace().collect::<Vec<_>>().join(" ").as_str())
        });
        assert!(is_there, "{line} is not in\n{text}");
    }
}

#[test]
fn variables_set_templates_and_lists() {
    let variables = [
        ("MP_TEMPLATE__ARENA__METADATA", "mode=duel,map=harbor"),
        ("MP_ALLOW_ORIGIN", "https://a.example, https://b.example"),
        ("MP_DTLS", "no"),
        ("MP_SHARDS", " "),
        ("MP_UNRELATED", "1"),
        ("OTHER__THING", "1"),
    ];
    let config = Config::layered("[template.Arena]\n", sources(&variables, &[])).unwrap();
    assert_eq!(config.templates["Arena"].metadata["map"], "harbor");
    assert_eq!(config.websocket.allowed_origins, ["https://a.example", "https://b.example"]);
    assert!(!config.listen[0].tls);
    assert_eq!(config.enet.shards, 1);
}

#[test]
fn webrtc_is_on_by_default_if_there_is_signaling() {
    let transports = |text: &str| {
        Config::parse(text).unwrap().listen.iter().map(|it| it.transport).collect::<Vec<_>>()
    };
    assert_eq!(transports(""), [Transport::Enet, Transport::WebSocket, Transport::WebRtc]);
    assert_eq!(transports("[listen]\nwebsocket = \"off\""), [Transport::Enet]);
    let own_port = "[listen]\nenet = \"off\"\nwebsocket = \"off\"\nsignaling = \"*:2\"";
    assert_eq!(transports(own_port), [Transport::Signaling, Transport::WebRtc]);
    assert_eq!(transports("[listen]\nwebrtc = \"off\"").len(), 2);
    let in_full = "[[listen]]\ntransport = \"websocket\"\naddress = \"*:80\"\n";
    assert_eq!(transports(in_full), [Transport::WebSocket]);
}

#[test]
fn flag_replaces_the_listeners_of_its_transport() {
    let file = r#"
        [[listen]]
        transport = "enet"
        address = "*:1"
        [[listen]]
        transport = "enet"
        address = "*:2"
        [[listen]]
        transport = "websocket"
        address = "*:3"
    "#;
    let ports = |flags: &[(&'static str, &str)]| {
        let config = Config::layered(file, sources(&[], flags)).unwrap();
        config.listen.iter().map(|it| it.address.port).collect::<Vec<_>>()
    };
    assert_eq!(ports(&[]), [1, 2, 3]);
    assert_eq!(ports(&[("enet", "*:9")]), [9, 3]);
    assert_eq!(ports(&[("enet", "off")]), [3]);
}

#[test]
fn websocket_players_are_pinged_behind_proxies_unless_it_is_switched_off() {
    let seconds = |flags: &[(&'static str, &str)]| {
        Config::layered("", sources(&[], flags)).unwrap().websocket.ping.as_secs()
    };
    assert_eq!(seconds(&[]), 0);
    assert_eq!(seconds(&[("trusted-proxies", "1")]), 25);
    assert_eq!(seconds(&[("trusted-proxies", "1"), ("ws-ping", "0")]), 0);
    assert_eq!(seconds(&[("ws-ping", "5")]), 5);
}

#[test]
fn effective_text_is_the_same_configuration() {
    let text = "[template.\"a.b\"]\nmetadata = { \"c d\" = \"\\\"e\\\"\" }\n[[room]]\nname = \"f\"\ntemplate = \"a.b\"\n\
        [[listen]]\ntransport = \"enet\"\naddress = \"[::1]:1\"\n";
    let config = Config::parse(text).unwrap();
    let reload = config.reload(&config.effective_text()).unwrap();
    assert_eq!(reload.changes, []);
    assert_eq!(config.templates["a.b"].metadata["c d"], "\"e\"");
}

#[test]
fn secrets_are_not_printed() {
    let file =
        "[webrtc]\nturn_secret = \"hunter2\"\n[template.a]\nprivate = true\ncode = \"hunter2\"\n";
    let config = Config::layered(file, sources(&[("MP_TURN_SECRET", "hunter2")], &[])).unwrap();
    assert!(!config.effective_text().contains("hunter2"));
    assert!(config.effective_text().contains("turn_secret = \"***\""));
    let typed = (&config.webrtc, &config.templates);
    assert!(!format!("{typed:?}").contains("hunter2"));
    for wrong in [
        "[webrtc]\nturn_secret = [\"hunter2\"]\n",
        "[webrtc]\nturn_secret = hunter2\n",
        "[webrtc]\nturn_secrets = \"hunter2\"\n",
    ] {
        let errors = Config::parse(wrong).unwrap_err().to_string();
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    let wrong = Config::layered("", sources(&[("MP_WEBRTC__TURN_SECRETS", "hunter2")], &[]));
    assert!(!wrong.unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn every_setting_can_be_changed_by_a_reload_or_needs_a_restart() {
    let before = Config::default();
    let text = "[log]\nfilter = \"debug\"\n[enet]\nshards = 2\n";
    let reload = before.reload(text).unwrap();
    assert_eq!(reload.applied(), ["log.filter"]);
    assert_eq!(reload.needs_restart(), ["enet.shards"]);
    assert_eq!(reload.config.log.filter, "debug");
    assert_eq!(reload.config.enet.shards, 1, "the running server keeps its value");
    let again = reload.config.reload(text).unwrap();
    assert_eq!((again.applied(), again.needs_restart()), (vec![], vec!["enet.shards"]));
    assert!(before.reload("[log]\nfilter = 1\n").is_err());
}

#[test]
fn lists_and_tables_change_as_a_whole() {
    let listener =
        |port: u16| format!("[[listen]]\ntransport = \"enet\"\naddress = \"*:{port}\"\n");
    let before = Config::parse(&listener(1)).unwrap();
    let reload = before.reload(&(listener(1) + &listener(2))).unwrap();
    assert_eq!(reload.needs_restart(), ["listen[2]"]);
    assert_eq!(reload.config.listen, before.listen);
    let reload = before.reload("[template.arena]\n").unwrap();
    assert_eq!(reload.needs_restart(), ["listen[1]"]);
    assert_eq!(reload.applied(), ["template.arena"]);
    assert!(reload.config.templates.contains_key("arena"));

    let room =
        |name: &str, most: u8| format!("[[room]]\nname = \"{name}\"\nmax_players = {most}\n");
    let before = Config::parse(&room("a", 1)).unwrap();
    assert_eq!(before.reload(&room("a", 2)).unwrap().applied(), ["room[1].max_players"]);
    let reload = before.reload(&(room("b", 2) + &room("a", 2))).unwrap();
    assert_eq!(reload.needs_restart(), ["room[1].name", "room[1].max_players", "room[2]"]);
    assert_eq!(reload.config.rooms, before.rooms);
}

#[test]
fn values_that_do_not_fit_previous_ones_need_a_restart() {
    let mut before =
        Config::parse("[limits]\nmax_packet_size = 4096\nmax_reliable_queue = 65536\n");
    let before = before.as_mut().unwrap();
    let text = "[limits]\nmax_packet_size = 131072\nmax_reliable_queue = 131072\n";
    let reload = before.reload(text).unwrap();
    assert_eq!(reload.needs_restart(), ["limits.max_packet_size", "limits.max_reliable_queue"]);
    assert_eq!(reload.config.limits, before.limits);
}

#[test]
fn environment_and_flags_stay_over_a_reload() {
    let before = Config::layered("", sources(&[], &[("log", "warn")])).unwrap();
    let reload = before.reload("[log]\nfilter = \"debug\"\n").unwrap();
    assert_eq!(reload.changes, []);
    assert_eq!(reload.config.log.filter, "warn");
}

#[test]
fn errors_at_the_ends_of_lines_are_printed() {
    for text in ["\r", "a\r\n", "a = \r\n", "[", "é", "a = \"é", "\u{feff}=", "[[room]]\r"] {
        assert!(Config::parse(text).unwrap_err().to_string().contains("error: "), "{text:?}");
    }
}

#[test]
fn oversized_and_binary_files_are_rejected_fast() {
    let large = "a = 1\n".repeat(2_000_000);
    for (text, reason) in [(large.as_str(), "larger than 1 MiB"), ("\0\u{1}\u{2}", "not a text")] {
        let errors = Config::parse(text).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors.to_string().contains(reason), "{errors}");
    }
    let many = "a = 1\n".repeat(150_000);
    assert_eq!(Config::parse(&many).unwrap_err().len(), 1, "the first duplicate");
    let mut many = String::new();
    for index in 0..30_000 {
        let _ = writeln!(many, "[template.t{index}]\nunknown = 1");
    }
    let errors = Config::parse(&many).unwrap_err();
    assert_eq!(errors.len(), 30_000);
    assert_eq!(errors.messages().count(), 1_000, "further ones are counted");
    assert!(errors.to_string().ends_with("and 29980 more errors"));
}

/// The same inputs in each run.
fn runs() -> ProptestConfig {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(1);
    ProptestConfig { cases: 500, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn any_text_is_a_configuration_or_has_errors(text in ".{0,200}") {
        let _ = Config::parse(&text).map_err(|errors| errors.to_string());
    }

    #[test]
    fn any_lines_of_settings_are_a_configuration_or_have_errors(
        lines in proptest::collection::vec(line(), 0..12)
    ) {
        let text = lines.join("\n");
        match Config::parse(&text) {
            Ok(config) => {
                let printed = config.effective_text();
                let again = Config::parse(&printed);
                prop_assert!(again.is_ok(), "{}\n{}", printed, again.unwrap_err());
                prop_assert_eq!(config.reload(&text).unwrap().changes, []);
            }
            Err(errors) => prop_assert!(!errors.to_string().is_empty()),
        }
    }
}

/// Generates headers and settings of the table, with values of several types.
fn line() -> impl Strategy<Value = String> {
    let section = || (0..SECTIONS.len()).prop_map(|index| &SECTIONS[index]);
    let header = section().prop_map(|section| section.header("a"));
    let key = section().prop_flat_map(|section| {
        (0..section.keys.len()).prop_map(|index| section.keys[index].example_text_and_name())
    });
    let value = prop_oneof![
        Just(None),
        (-1i64..100_000).prop_map(|number| Some(number.to_string())),
        "\"[a-z*:0-9]{0,12}\"".prop_map(Some),
        "[^\n]{0,12}".prop_map(Some),
    ];
    let setting = (key, value)
        .prop_map(|((name, example), value)| format!("{name} = {}", value.unwrap_or(example)));
    prop_oneof![1 => header, 3 => setting]
}

impl key::Key {
    fn example_text_and_name(&self) -> (&'static str, String) {
        (self.name, self.example_text())
    }
}

#[test]
fn flags_and_variables_have_distinct_names() {
    let flags = flags::args();
    let variables = flags.iter().map(|flag| env::of_flag(flag.get_id().as_str()));
    let variables: BTreeSet<_> = variables.collect();
    assert_eq!(variables.len(), flags.len(), "{variables:?}");
    let lists = SECTIONS.iter().filter(|section| section.shape == Shape::List);
    assert!(lists.flat_map(|section| section.keys).all(|key| key.flag.is_none()));
    assert!(SECTIONS.iter().flat_map(|section| section.keys).any(|key| key.effect == Effect::Now));
}

#[test]
fn identity_needs_what_its_method_uses() {
    let identity = |rest: &str| Config::parse(&format!("[identity]\n{rest}\n"));
    for (text, method) in [
        ("", IdentityMethod::Open),
        ("method = \"secret\"\nsecret = \"s\"", IdentityMethod::Secret),
        ("method = \"token\"\npublic_key = \"a.pub\"\nissuer = \"i\"", IdentityMethod::Token),
        ("method = \"token\"\njwks = \"https://a.example/keys\"", IdentityMethod::Token),
        ("method = \"call-out\"\nurl = \"http://[::1]/\"\nsecret = \"s\"", IdentityMethod::CallOut),
    ] {
        assert_eq!(identity(text).unwrap().identity.method, method);
    }
    for (text, expected) in [
        ("method = \"secret\"", "identity.method needs identity.secret"),
        (
            "method = \"token\"",
            "identity.method needs identity.secret, or identity.public_key, or identity.jwks",
        ),
        ("method = \"call-out\"", "identity.method needs identity.url"),
        (
            "method = \"token\"\nsecret = \"s\"\njwks = \"f\"",
            "identity.jwks is one key too many: identity.secret is given",
        ),
        ("url = \"a.example\"", "identity.url must be a URL such as https://HOST/PATH"),
        ("jwks = \"ftp://a.example\"", "identity.jwks must be the path of a file, or a URL"),
    ] {
        let errors = identity(text).unwrap_err().to_string();
        assert!(errors.contains(expected), "{errors}");
    }
    let config = Config::default().identity;
    assert_eq!((config.same_player, config.leeway.as_secs()), (mp_rooms::SamePlayer::Replace, 30));
    let shown = identity("method = \"secret\"\nsecret = \"hunter2\"").unwrap().effective_text();
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn user_of_nats_has_a_password_or_a_file() {
    let errors =
        |cluster: &str| Config::parse(&format!("[cluster]\n{cluster}")).unwrap_err().to_string();
    let user = "user = \"mp\"\n";
    assert!(errors(user).contains("needs"), "{}", errors(user));
    let both = format!("{user}password = \"p\"\ncredentials_file = \"nats.creds\"\n");
    assert!(errors(&both).contains("credentials_file, which has a user of its own"));
}

//! The plugin of `mp-server wireshark` in Wireshark's tshark, on captures of `mp-server inspect`,
//! and on datagrams of any content.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::debian;
use crate::workspace::{program, root, target};

/// tshark with the plugin.
pub(super) struct Wireshark {
    tshark: PathBuf,
    plugin: PathBuf,
}

impl Wireshark {
    /// Writes the plugin, with the names of the project in `interop/bots`.
    pub(super) fn new() -> Result<Self, String> {
        let tshark = debian::tshark(&target().join("tshark"))?;
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        command.args(["wireshark", "--project"]).arg(root().join("interop/bots"));
        let plugin = target().join("interop/bots/godot.lua");
        let written = output(&mut command)?;
        write(&plugin, written.as_bytes())?;
        Ok(Self { tshark, plugin })
    }

    /// Decodes a capture. Returns the lines and fields of its packets.
    ///
    /// # Errors
    ///
    /// Returns the first error of the plugin, which is a field of its packet.
    pub(super) fn decode(&self, capture: &Path, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.tshark);
        command.arg("-X").arg(format!("lua_script:{}", self.plugin.display()));
        command.args(["-P", "-V", "-r"]).arg(capture).args(args);
        // Without the plugins of this user.
        let output = output(command.env("HOME", target().join("interop/bots")))?;
        match output.lines().find(|line| line.contains("Lua Error")) {
            Some(error) => Err(format!("{}: {}", capture.display(), error.trim())),
            None => Ok(output),
        }
    }

    /// Decodes recorded datagrams in all compressions, parts of them, altered ones and random
    /// bytes, in order and again in random access. Checks that the plugin has no error.
    pub(super) fn decode_arbitrary(&self) -> Result<(), String> {
        let capture = target().join("interop/bots/arbitrary.pcap");
        write(&capture, &arbitrary_capture()?)?;
        let fields = self.decode(&capture, &["-2"])?;
        for part in [
            "Compressed commands: range coder",
            "Compressed commands: FastLZ",
            "Compressed commands: zlib",
            "Compressed commands: Zstandard",
            "CONNECT",
            "SEND_UNRELIABLE_FRAGMENT",
            "the datagram ends within the payload",
            "bytes after the last command",
            "Kind: SPAWN",
            "Kind: DELTA",
            "malformed: nested too deeply",
        ] {
            if !fields.contains(part) {
                return Err(format!("{}: no {part:?} in tshark's fields", capture.display()));
            }
        }
        Ok(())
    }
}

/// Returns a capture file of UDP datagrams.
fn arbitrary_capture() -> Result<Vec<u8>, String> {
    let mut file = Vec::new();
    for field in [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, LINK_TYPE_RAW] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    let mut random = Random(1);
    for (index, datagram) in recorded()?.into_iter().enumerate() {
        add(&mut file, &datagram);
        if index % 4 == 0 {
            (0..datagram.len()).step_by(3).for_each(|len| add(&mut file, &datagram[..len]));
        }
        for _ in 0..4 {
            let mut altered = datagram.clone();
            let at = random.below(altered.len());
            altered[at] = random.below(256) as u8;
            add(&mut file, &altered);
        }
    }
    let mut payloads: Vec<Vec<u8>> = (0..6_000)
        .map(|index| {
            let first = [0, 0x80, 0x20, 1, 2, 4, 5, 6, 0x16, 7][index % 10];
            let rest = (0..random.below(60)).map(|_| match random.below(3) {
                0 => random.below(256) as u8,
                _ => [0, 0, 0, 1, 2, 3, 4, 27, 28, 29, 34, 255][random.below(12)],
            });
            [first].into_iter().chain(rest.collect::<Vec<_>>()).collect()
        })
        .collect();
    // An argument that is an array in an array, and so on.
    payloads.push([&[0, 1, 0, 1][..], &[28, 0, 0, 0, 1, 0, 0, 0].repeat(150)].concat());
    for payload in payloads {
        let len = (payload.len() as u16).to_be_bytes();
        add(&mut file, &[&[0x80, 0, 0, 1, 0x86, 0, 0, 1][..], &len, &payload].concat());
    }
    for _ in 0..1_000 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.below(256) as u8).collect();
        add(&mut file, &bytes);
    }
    Ok(file)
}

/// Returns the datagrams of `testdata/enet`, without those that are not recorded whole.
fn recorded() -> Result<Vec<Vec<u8>>, String> {
    let folder = root().join("testdata/enet");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut datagrams = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|it| it == "json")) {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let capture: Value =
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        let all = capture["datagrams"].as_array().into_iter().flatten();
        datagrams.extend(all.filter_map(|it| bytes(it["hex"].as_str()?)));
    }
    Ok(datagrams)
}

/// Returns the bytes of a hexadecimal text; `None` if it is not one.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// Adds a datagram to a capture file.
fn add(file: &mut Vec<u8>, datagram: &[u8]) {
    let len = |headers: usize| (headers + datagram.len()) as u16;
    let packet_len = u32::from(len(28));
    for field in [0, 0, packet_len, packet_len] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    let [total, udp] = [len(28), len(8)].map(u16::to_be_bytes);
    file.extend_from_slice(&[0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 17, 0, 0]);
    file.extend_from_slice(&[127, 0, 0, 1, 127, 0, 0, 1]);
    // The heuristic finds the CONNECT of the first recording, and then knows the ports.
    file.extend_from_slice(&[0x9c, 0x40, 0x1e, 0x61, udp[0], udp[1], 0, 0]);
    file.extend_from_slice(datagram);
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("cannot run {command:?}: {e}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || errors.contains("Lua") {
        return Err(format!("{command:?}: {}: {errors}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = file.parent().unwrap_or(file);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(file, bytes));
    written.map_err(|error| format!("{}: {error}", file.display()))
}

/// The same numbers in each run: a linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }
}

const LINK_TYPE_RAW: u32 = 101;

//! Runs a fuzz target as a test: with its seed inputs, and with mutations of them from a fixed
//! seed.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use crate::Rng;

/// The seed inputs of a fuzz target.
#[derive(Debug, Default)]
pub struct Seeds(Vec<Vec<u8>>);

impl Seeds {
    /// Returns `texts` as inputs.
    pub fn texts(texts: &[&str]) -> Self {
        Self(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    /// Returns `inputs` as they are.
    pub fn bytes(inputs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(inputs.into_iter().collect())
    }

    /// Returns one input, whose [`pieces`](super::pieces) are `datagrams`.
    pub fn pieces(datagrams: &[Vec<u8>]) -> Self {
        Self(vec![datagrams.iter().flat_map(|bytes| piece(&[], bytes)).collect()])
    }

    /// Returns one input for each field `keys` of files in `testdata`, decoded from hex. A folder
    /// stands for its files.
    pub fn testdata(names: &[&str], keys: &[&str]) -> Self {
        let files = names.iter().flat_map(|name| files(name));
        Self(files.flat_map(|file| hex_fields(&file, keys)).collect())
    }

    /// Same as [`testdata`](Self::testdata), but with one input per file. Its
    /// [`pieces`](super::pieces) are the fields of the file, each preceded by `prefix`.
    pub fn testdata_pieces(names: &[&str], keys: &[&str], prefix: &[u8]) -> Self {
        let pieces = |bytes: Vec<u8>| piece(prefix, &bytes);
        let input = |file: PathBuf| hex_fields(&file, keys).into_iter().flat_map(pieces).collect();
        Self(names.iter().flat_map(|name| files(name)).map(input).collect())
    }

    /// Appends the inputs of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

fn piece(prefix: &[u8], bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(prefix.len() + bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes()[..], prefix, bytes].concat()
}

/// Runs the body of the target `name` with its seed inputs, then with `runs` mutations of them. A
/// failure prints the input in hex.
///
/// If the environment variable `MP_FUZZ_SEEDS` names a folder, writes the seed inputs to its
/// subfolder `name` instead.
pub fn check(name: &str, seeds: Seeds, runs: u32, body: fn(&[u8])) {
    let Seeds(inputs) = seeds;
    assert!(inputs.iter().any(|input| !input.is_empty()), "fuzz target {name} has no seed input");
    if let Some(folder) = env::var_os("MP_FUZZ_SEEDS") {
        return write(&Path::new(&folder).join(name), &inputs);
    }
    let run = |input: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(input))) {
            let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("fuzz target {name} fails for {hex}");
            resume_unwind(panic);
        }
    };
    inputs.iter().for_each(|input| run(input));
    let mut rng = Rng::seed_from_u64(1);
    for _ in 0..runs {
        run(&mutated(&inputs, &mut rng));
    }
}

/// Returns one of the inputs with one to eight changes.
fn mutated(inputs: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = inputs[below(rng, inputs.len())].clone();
    input.truncate(INPUT_BYTES_MAX);
    for _ in 0..1 + below(rng, 8) {
        let at = below(rng, input.len() + 1);
        let end = at + below(rng, input.len() - at + 1);
        match below(rng, 6) {
            0 if at < input.len() => input[at] ^= 1 << below(rng, 8),
            1 if at < input.len() => input[at] = EDGES[below(rng, EDGES.len())],
            2 => drop(input.drain(at..end)),
            3 => input.insert(at, rng.next_u32() as u8),
            4 => input.truncate(end),
            _ => {
                // Inserts a part of this or another input.
                let other = &inputs[below(rng, inputs.len())];
                let start = below(rng, other.len() + 1);
                let len = below(rng, (other.len() - start + 1).min(64));
                input.splice(at..at, other[start..start + len].iter().copied());
            }
        }
    }
    input
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    rng.below(bound as u64) as usize
}

fn files(name: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    if !path.is_dir() {
        return vec![path];
    }
    let entries =
        fs::read_dir(&path).unwrap_or_else(|error| panic!("cannot read {path:?}: {error}"));
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

/// Returns the values of the fields `keys` of a JSON file, decoded from hex. Values that are not
/// hex are skipped.
fn hex_fields(file: &Path, keys: &[&str]) -> Vec<Vec<u8>> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("cannot read {file:?}: {error}"));
    let mut found = Vec::new();
    for key in keys {
        let field = format!("\"{key}\":");
        for (at, _) in text.match_indices(&field) {
            let value = text[at + field.len()..].trim_start().strip_prefix('"');
            let digits = value.and_then(|value| value.split('"').next()).unwrap_or_default();
            found.extend(unhex(digits));
        }
    }
    found
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(byte).collect()
}

fn write(folder: &Path, inputs: &[Vec<u8>]) {
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut numbered = inputs.iter().enumerate();
        numbered
            .try_for_each(|(number, input)| fs::write(folder.join(format!("{number:05}")), input))
    });
    written.unwrap_or_else(|error| panic!("cannot write inputs to {folder:?}: {error}"));
}

const EDGES: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

/// Length in bytes to which inputs are truncated before they are mutated.
const INPUT_BYTES_MAX: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_the_hex_fields_of_testdata() {
        let Seeds(each) = Seeds::testdata(&["godot4/sys.json"], &["hex"]);
        assert!(each.len() > 100, "{}", each.len());
        let Seeds(together) = Seeds::testdata_pieces(&["godot4/sys.json"], &["hex"], &[9]);
        let pieces: Vec<&[u8]> = super::super::pieces(&together[0]).collect();
        assert_eq!(pieces.len(), each.len());
        assert_eq!(pieces[0], [&[9][..], &each[0]].concat());
    }

    #[test]
    #[should_panic(expected = "the body fails")]
    fn failing_mutation_fails_the_check() {
        check("none", Seeds::texts(&["abc"]), 1_000, |input| {
            assert!(input.len() <= 3, "the body fails");
        });
    }
}

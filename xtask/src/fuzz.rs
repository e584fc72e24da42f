//! `cargo xtask fuzz`: coverage-guided fuzzing of parsers of untrusted input, on stable Rust.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::tool::Tool;
use crate::workspace::{cargo, root, run, target};

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args, Debug)]
pub(crate) struct FuzzArgs {
    /// Targets to run, one after another: files in fuzz/fuzz_targets [default: all]
    targets: Vec<String>,
    /// Minutes that each target runs
    #[arg(long, default_value_t = 5)]
    minutes: u64,
}

/// Runs fuzz targets.
///
/// # Errors
///
/// Returns an error if a target fails, after printing the path of the input, or if cargo-fuzz is
/// not found and cannot be installed.
pub(crate) fn fuzz(args: &FuzzArgs) -> Result<(), String> {
    let all = targets()?;
    let is_unknown = |name: &&String| !all.iter().any(|target| target.name == **name);
    if let Some(unknown) = args.targets.iter().find(is_unknown) {
        let names: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
        return Err(format!("unknown fuzz target {unknown:?}; available: {}", names.join(", ")));
    }
    let tool = CARGO_FUZZ.path()?;
    let mut failed = Vec::new();
    for target in &all {
        if !args.targets.is_empty() && !args.targets.contains(&target.name) {
            continue;
        }
        println!("fuzz target {} for {} minutes", target.name, args.minutes);
        let command = target.command(Command::new(&tool), args.minutes);
        if let Err(why) = command.and_then(|mut command| run(&mut command)) {
            println!("error: {why}");
            failed.push(target.name.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("{} failed; the inputs are in fuzz/artifacts", failed.join(", ")))
}

/// A target: a file in fuzz/fuzz_targets.
#[derive(Debug)]
struct Target {
    name: String,
    /// Package with the target's body and initial inputs. In fuzz/Cargo.toml it is an optional
    /// dependency, so that a target is built without the other packages.
    package: String,
}

impl Target {
    /// Returns the command that runs the target, with the corpus of earlier runs and the initial
    /// inputs.
    fn command(&self, mut command: Command, minutes: u64) -> Result<Command, String> {
        let (corpus, seeds) = (self.corpus()?, self.seeds()?);
        command.current_dir(root().join("fuzz"));
        command.args(["fuzz", "run", "--sanitizer", "none", "--features", &self.package]);
        command.arg("--target-dir").arg(target().join("fuzz"));
        command.arg(&self.name).arg(corpus).arg(seeds);
        command.arg("--").arg(format!("-max_total_time={}", minutes * 60));
        command.args(["-timeout=20", "-rss_limit_mb=2048", "-max_len=65536"]);
        command.arg("-print_final_stats=1");
        Ok(command)
    }

    fn corpus(&self) -> Result<PathBuf, String> {
        let folder = target().join("fuzz/corpus").join(&self.name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }

    /// Runs the package's tests to write the initial inputs into a folder. Returns the folder.
    fn seeds(&self) -> Result<PathBuf, String> {
        let folder = target().join("fuzz/seeds");
        let mut test = cargo();
        test.args(["test", "--quiet", "--package", &self.package, "--test", "fuzz"]);
        run(test.env("MP_FUZZ_SEEDS", &folder))?;
        Ok(folder.join(&self.name))
    }
}

/// Returns all targets, sorted by name.
fn targets() -> Result<Vec<Target>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let read = || -> io::Result<Vec<Target>> {
        let mut targets = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path)?;
            let body = text.split("|data: &[u8]| ").nth(1).unwrap_or_default();
            let package = body.split("::").next().unwrap_or_default().replace('_', "-");
            targets.push(Target { name, package });
        }
        targets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(targets)
    };
    read().map_err(|error| format!("{}: {error}", folder.display()))
}

const CARGO_FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2" };

#[cfg(test)]
mod tests {
    use super::*;

    /// No other test of CI covers these files: building libFuzzer takes minutes.
    #[test]
    fn each_target_calls_the_tested_body_of_the_same_name() {
        let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
        let manifest = read("fuzz/Cargo.toml");
        let targets = targets().unwrap();
        assert_eq!(targets.len(), manifest.matches("[[bin]]").count());
        for Target { name, package } in &targets {
            let module = package.replace('-', "_");
            let expected = format!(
                "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|data: &[u8]| {module}::fuzz::{name}(data));\n"
            );
            assert_eq!(read(&format!("fuzz/fuzz_targets/{name}.rs")), expected);
            let bin =
                format!("path = \"fuzz_targets/{name}.rs\"\nrequired-features = [\"{package}\"]\n");
            assert!(manifest.contains(&bin), "{name}");
            let mut lines = manifest.lines();
            let dependency = lines.find(|line| line.starts_with(&format!("{package} = ")));
            assert!(dependency.unwrap_or_default().contains("optional = true"), "{package}");
            let tests = read(&format!("crates/{package}/tests/fuzz.rs"));
            assert!(tests.contains(&format!("check(\"{name}\", ")), "{name}");
            assert!(tests.contains(&format!("fuzz::{name})")), "{name}");
        }
    }
}

//! A suite: a folder with a Godot project and its `scenarios.txt`.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;

/// Folder with a Godot project that plays scenarios.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) folder: PathBuf,
    pub(crate) scenarios: Vec<Scenario>,
    /// True for the project's own suite, in which mp-server serves `room`.
    pub(crate) own: bool,
}

/// A line of `scenarios.txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) clients: u32,
    pub(crate) transports: Vec<String>,
    /// True if Godot clients of an mp server must print no error.
    pub(crate) is_quiet: bool,
}

/// Scenarios that mp-interop supports, each with the compression modes that it is limited to
/// (empty: all).
pub(crate) type Played = BTreeMap<String, Vec<String>>;

impl Suite {
    /// Returns the folder of the project's own suite.
    pub(crate) fn own_folder() -> PathBuf {
        workspace::root().join("interop/godot")
    }

    /// Returns the folder of an additional suite, if it exists: `$MP_INTEROP_SUITE`, else a folder
    /// beside the project.
    pub(crate) fn additional_folder() -> Option<PathBuf> {
        match env::var_os("MP_INTEROP_SUITE").filter(|given| !given.is_empty()) {
            Some(given) => Some(given.into()),
            None => Some(workspace::root().join(BESIDE)).filter(|folder| folder.is_dir()),
        }
    }

    /// Reads `folder/scenarios.txt`.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is missing or malformed.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let list = folder.join("scenarios.txt");
        let text = fs::read_to_string(&list).map_err(|e| {
            format!(
                "{}: {e}; a suite is a folder with a Godot project and a scenarios.txt",
                list.display()
            )
        })?;
        let scenarios = parse(&text).map_err(|why| format!("{}: {why}", list.display()))?;
        let folder = folder.canonicalize().map_err(|e| format!("{}: {e}", folder.display()))?;
        let own = Self::own_folder().canonicalize().is_ok_and(|own| own == folder);
        Ok(Self { folder, scenarios, own })
    }

    /// Returns the name for the table and the logs.
    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns the option of mp-interop that selects the suite.
    pub(crate) fn option(&self) -> &'static str {
        if self.own { "--suite=own" } else { "--suite=conformance" }
    }

    /// Returns the scenario `name`.
    ///
    /// # Errors
    ///
    /// Returns an error with the list of scenarios if there is none of this name.
    pub(crate) fn scenario(&self, name: &str) -> Result<&Scenario, String> {
        self.scenarios.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
            let all: Vec<&str> =
                self.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
            format!("{} has no scenario {name:?}; it has {}", self.folder.display(), all.join(", "))
        })
    }
}

/// Runs `program --list` for `suite`, and parses its output: one scenario per line, followed by the
/// compression modes that it is limited to, if any.
///
/// # Errors
///
/// Returns an error if the program cannot be run.
pub(crate) fn played_by(program: &Path, suite: &Suite) -> Result<Played, String> {
    let output = Command::new(program)
        .args(["--list", suite.option()])
        .output()
        .map_err(|e| format!("cannot run {}: {e}", program.display()))?;
    if !output.status.success() {
        return Err(format!("{} --list: {}", program.display(), output.status));
    }
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines = String::from_utf8_lossy(&output.stdout);
    Ok(lines.lines().map(words).filter(|w| !w.is_empty()).map(|mut w| (w.remove(0), w)).collect())
}

fn parse(text: &str) -> Result<Vec<Scenario>, String> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let wrong = || {
                let form = "name clients transports [quiet]";
                format!("line {}: {line:?} does not have the form `{form}`", number + 1)
            };
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, clients, transports, is_quiet) = match words[..] {
                [name, clients, transports] => (name, clients, transports, false),
                [name, clients, transports, "quiet"] => (name, clients, transports, true),
                _ => return Err(wrong()),
            };
            let clients = clients.parse().map_err(|_| wrong())?;
            let transports = transports.split(',').map(str::to_owned).collect();
            Ok(Scenario { name: name.to_owned(), clients, transports, is_quiet })
        })
        .collect()
}

/// Path relative to the workspace.
const BESIDE: &str = "../shared/godot4/conformance";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenario_lines_have_a_name_clients_and_transports() {
        let scenarios =
            parse("# scenario clients transports\nhello  2 enet,ws\n\npack 1 enet quiet\n")
                .unwrap();
        let scenario = |name: &str, clients, transports: &[&str], is_quiet| Scenario {
            name: name.to_owned(),
            clients,
            transports: transports.iter().map(|t| (*t).to_owned()).collect(),
            is_quiet,
        };
        assert_eq!(
            scenarios,
            [scenario("hello", 2, &["enet", "ws"], false), scenario("pack", 1, &["enet"], true)]
        );
    }

    #[test]
    fn errors_contain_the_line_number() {
        assert!(parse("hello two enet").unwrap_err().starts_with("line 1:"));
        assert!(parse("# fine\nhello 2").unwrap_err().starts_with("line 2:"));
        assert!(parse("hello 2 enet loud").unwrap_err().starts_with("line 1:"));
    }

    #[test]
    fn the_own_suite_has_a_script_for_each_scenario() {
        let suite = Suite::read(&Suite::own_folder()).unwrap();
        assert!(suite.own);
        assert!(!suite.scenarios.is_empty());
        for scenario in &suite.scenarios {
            let script = suite.folder.join(format!("scenarios/{}.gd", scenario.name));
            assert!(script.is_file(), "{} is missing", script.display());
        }
    }
}

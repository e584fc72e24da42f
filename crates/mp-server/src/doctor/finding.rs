//! [`Finding`]: the result of one check, and [`Report`]: all of them, as text and as JSON.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// Severity of a [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// The server runs as configured.
    Ok,
    /// The server runs, with a restriction or a risk.
    Warning,
    /// The server does not start, or players cannot use a part of it.
    Error,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Name of the check, which programs may rely on.
    check: &'static str,
    level: Level,
    /// The fact, with its values.
    text: String,
    /// The consequence; `None` if all is well.
    why: Option<String>,
    /// A command or a setting that mends it; `None` if all is well.
    fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, text: text.into(), why: None, fix: None }
    }

    pub(super) fn warning(
        check: &'static str,
        text: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (why, fix) = (Some(why.into()), Some(fix.into()));
        Self { check, level: Level::Warning, text: text.into(), why, fix }
    }

    pub(super) fn error(
        check: &'static str,
        text: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { level: Level::Error, ..Self::warning(check, text, why, fix) }
    }
}

#[cfg(test)]
impl Finding {
    /// Returns the name of the check and the level.
    pub(super) fn outcome(&self) -> (&'static str, Level) {
        (self.check, self.level)
    }

    /// Returns the fact, the consequence and the fix as one text.
    pub(super) fn words(&self) -> String {
        let parts = [Some(&self.text), self.why.as_ref(), self.fix.as_ref()];
        parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" | ")
    }
}

/// The results of all checks.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    errors: usize,
    warnings: usize,
    checks: Vec<Finding>,
}

impl Report {
    pub(super) fn new(checks: Vec<Finding>) -> Self {
        let count = |level| checks.iter().filter(|it| it.level == level).count();
        let (errors, warnings) = (count(Level::Error), count(Level::Warning));
        Self { version: env!("CARGO_PKG_VERSION"), errors, warnings, checks }
    }

    /// Returns the number of errors.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Returns one line of JSON.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|text| text + "\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { check, level, text, why, fix } in &self.checks {
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default();
            writeln!(f, "{:<9}{check:<16}{first}", level.name())?;
            let mut indented = |text: &str| writeln!(f, "{:25}{text}", "");
            lines.try_for_each(&mut indented)?;
            why.iter().try_for_each(|why| indented(&format!("why: {why}")))?;
            fix.iter().try_for_each(|fix| indented(&format!("fix: {fix}")))?;
        }
        let mut summary = String::new();
        for (count, noun) in [(self.errors, "error"), (self.warnings, "warning")] {
            let plural = if count == 1 { "" } else { "s" };
            let _ = write!(summary, "{count} {noun}{plural}, ");
        }
        writeln!(f, "{summary}{} ok", self.checks.len() - self.errors - self.warnings)
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new(vec![
            Finding::ok("clock", "synchronized"),
            Finding::warning("memory", "two\nlines", "it matters", "sysctl -w a=b"),
            Finding::error("port", "in use", "no player can join", "ss -ulpn"),
        ])
    }

    #[test]
    fn text_has_level_fact_reason_and_fix_of_each_check() {
        let expected = "\
ok       clock           synchronized
warning  memory          two
                         lines
                         why: it matters
                         fix: sysctl -w a=b
error    port            in use
                         why: no player can join
                         fix: ss -ulpn
1 error, 1 warning, 1 ok
";
        assert_eq!(report().to_string(), expected);
    }

    #[test]
    fn json_has_the_same_parts_on_one_line() {
        let text = report().json().unwrap();
        assert_eq!(text.lines().count(), 1);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &1.into()));
        let ok = serde_json::json!({
            "check": "clock", "level": "ok", "text": "synchronized", "why": null, "fix": null,
        });
        assert_eq!(json["checks"][0], ok);
        assert_eq!(json["checks"][2]["fix"], "ss -ulpn");
    }
}

//! A strict parser of OpenMetrics text, as far as the server uses the format.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of a text.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Values by name and labels, as written.
    samples: BTreeMap<String, f64>,
    labels: BTreeSet<String>,
}

/// A family that is being parsed.
#[derive(Debug, Default)]
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
    /// The last bucket of a histogram: its labels without `le`, its bound and its count.
    bucket: Option<(String, f64, f64)>,
}

impl Parsed {
    pub(crate) fn value(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// Returns the names of all labels.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }
}

/// Parses a text. Returns the first line that the format does not allow.
pub(crate) fn parse(text: &str) -> Result<Parsed, String> {
    let text = text.strip_suffix("# EOF\n").ok_or("the text does not end with # EOF")?;
    let (mut parsed, mut family, mut seen) =
        (Parsed::default(), Family::default(), BTreeSet::new());
    for line in text.lines() {
        let result = match line.strip_prefix("# ") {
            Some(line) => describe(&mut family, &mut seen, line),
            None => sample(&mut parsed, &mut family, line),
        };
        result.map_err(|error| format!("{error}: {line}"))?;
    }
    Ok(parsed)
}

/// Parses the description of a family after `# `: HELP begins it.
fn describe<'a>(
    family: &mut Family<'a>,
    seen: &mut BTreeSet<&'a str>,
    line: &'a str,
) -> Result<(), &'static str> {
    let (keyword, rest) = line.split_once(' ').ok_or("no keyword")?;
    let (name, text) = rest.split_once(' ').ok_or("no text")?;
    match keyword {
        "HELP" if text.is_empty() || text.contains('\\') => Err("an invalid description"),
        "HELP" if !seen.insert(name) => Err("a family twice"),
        "HELP" => {
            *family = Family { name, ..Family::default() };
            Ok(())
        }
        _ if name != family.name => Err("a description of another family"),
        "TYPE" if family.kind.is_empty() => {
            family.kind = text;
            let is_known = ["counter", "gauge", "histogram", "info"].contains(&text);
            if is_known { Ok(()) } else { Err("an unknown type") }
        }
        "UNIT" if name.ends_with(&format!("_{text}")) => Ok(()),
        _ => Err("an unexpected keyword"),
    }
}

/// Parses a sample, which belongs to `family`.
fn sample(parsed: &mut Parsed, family: &mut Family<'_>, line: &str) -> Result<(), &'static str> {
    let (key, value) = line.rsplit_once(' ').ok_or("no value")?;
    let value: f64 = value.parse().map_err(|_| "a value that is no number")?;
    let (name, labels) = match key.split_once('{') {
        None => (key, Vec::new()),
        Some((name, labels)) => {
            (name, pairs(labels.strip_suffix('}').ok_or("labels without their end")?)?)
        }
    };
    let suffix = name.strip_prefix(family.name).ok_or("a sample of another family")?;
    let suffixes: &[&str] = match family.kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[],
    };
    if !suffixes.contains(&suffix) {
        return Err("a suffix that the type does not have");
    }
    if family.kind != "gauge" && !(value.is_finite() && value >= 0.0) {
        return Err("a negative count");
    }
    match suffix {
        "_bucket" => bucket(family, &labels, value)?,
        "_count" => family.bucket = None,
        _ => {}
    }
    parsed.labels.extend(labels.iter().map(|(name, _)| (*name).to_owned()));
    match parsed.samples.insert(key.to_owned(), value) {
        Some(_) => Err("a sample twice"),
        None => Ok(()),
    }
}

/// Parses labels, whose values have no escapes.
fn pairs(labels: &str) -> Result<Vec<(&str, &str)>, &'static str> {
    let mut pairs = Vec::new();
    for label in labels.split(',') {
        let (name, value) = label.split_once('=').ok_or("a label without a value")?;
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = value.ok_or("a label without quotes")?;
        let is_name = !name.is_empty()
            && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        if !is_name || value.is_empty() || value.contains(['"', '\\']) {
            return Err("an invalid label");
        }
        if pairs.iter().any(|&(other, _)| other == name) {
            return Err("a label twice");
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Checks the order of buckets: bounds and counts increase.
fn bucket(
    family: &mut Family<'_>,
    labels: &[(&str, &str)],
    count: f64,
) -> Result<(), &'static str> {
    let bound = labels.iter().find(|(name, _)| *name == "le").ok_or("a bucket without a bound")?;
    let bound = match bound.1 {
        "+Inf" => f64::INFINITY,
        bound => bound.parse().map_err(|_| "a bound that is no number")?,
    };
    let others: Vec<_> = labels.iter().filter(|(name, _)| *name != "le").collect();
    let others = format!("{others:?}");
    if let Some((last_labels, last_bound, last_count)) = &family.bucket
        && *last_labels == others
        && !(bound > *last_bound && count >= *last_count)
    {
        return Err("buckets that do not increase");
    }
    family.bucket = Some((others, bound, count));
    Ok(())
}

#[test]
fn parser_refuses_what_the_format_does_not_allow() {
    let family = "# HELP mp_a A.\n# TYPE mp_a counter\n";
    assert!(parse(&format!("{family}mp_a_total{{x=\"1\"}} 3.0\n# EOF\n")).is_ok());
    for wrong in [
        "mp_a 3\n# EOF\n",
        "mp_b_total 3\n# EOF\n",
        "mp_a_total 3\nmp_a_total 4\n# EOF\n",
        "mp_a_total{x=1} 3\n# EOF\n",
        "mp_a_total{x=\"1\"} x\n# EOF\n",
        "mp_a_total -1\n# EOF\n",
        "# HELP mp_a A.\n# EOF\n",
        "# UNIT mp_a bytes\n# EOF\n",
        "mp_a_total 3\n",
    ] {
        assert!(parse(&format!("{family}{wrong}")).is_err(), "{wrong}");
    }
}

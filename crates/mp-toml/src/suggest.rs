//! Suggestions for misspelled names.

/// Returns the name that `given` probably stands for, if there is one.
pub fn did_you_mean<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if given.len() > LENGTH_MAX {
        return None;
    }
    let given = plain(given);
    let near = names.into_iter().map(|name| (distance(&given, &plain(name)), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= (given.chars().count().max(name.chars().count()) / 3).max(1)).then_some(name)
}

/// Returns a name in lower case with underscores, as names of settings are.
pub fn plain(name: &str) -> String {
    let mut plain = String::new();
    let mut previous = ' ';
    for c in name.chars() {
        if c.is_ascii_uppercase() && previous.is_ascii_lowercase() {
            plain.push('_');
        }
        previous = c;
        plain.push(if c == '-' { '_' } else { c.to_ascii_lowercase() });
    }
    plain
}

/// Returns the number of insertions, deletions, replacements and swaps between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if is_swap {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Length in bytes of longer names, for which nothing is suggested.
const LENGTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_names_are_found_and_others_are_not() {
        let names = ["max_clients", "max_players", "relay", "code"];
        let table = [
            ("max_clinets", Some("max_clients")),
            ("maxPlayers", Some("max_players")),
            ("MAX-PLAYERS", Some("max_players")),
            ("rely", Some("relay")),
            ("cod", Some("code")),
            ("xyz", None),
            ("", None),
        ];
        for (given, suggested) in table {
            assert_eq!(did_you_mean(given, names), suggested, "{given}");
        }
        assert_eq!(did_you_mean(&"relay".repeat(1_000_000), names), None);
    }
}

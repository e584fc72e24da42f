//! Resource paths: `res://…`.

/// Prefix of paths in a project.
pub(crate) const RES: &str = "res://";

/// Prefix of unique ids of resources.
pub(crate) const UID: &str = "uid://";

/// Returns the normalized `res://…` path that `path` means in a file with path `base`. `None` if it
/// leaves the project.
pub(crate) fn resolve(base: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let relative = match path.strip_prefix(RES) {
        Some(path) => path,
        None => {
            let base = base.strip_prefix(RES).unwrap_or(base);
            parts.extend(base.split('/'));
            parts.pop();
            path
        }
    };
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(format!("{RES}{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_start_at_the_folder_of_the_file() {
        let from = |path| resolve("res://a/b.gd", path);
        assert_eq!(from("res://x//y/./z.gd").as_deref(), Some("res://x/y/z.gd"));
        assert_eq!(from("c.gd").as_deref(), Some("res://a/c.gd"));
        assert_eq!(from("../c.gd").as_deref(), Some("res://c.gd"));
        assert_eq!(from("../../c.gd"), None);
        assert_eq!(from("res://../c.gd"), None);
    }
}

//! The guide: from the first two players to the operation of a server.
//!
//! | page | contents |
//! |---|---|
//! | [Quick start](quick_start) | from an empty folder to two players that move |

/// Returns the definitions of links to all pages, by their file names.
macro_rules! links {
    () => {
        "[quick-start.md]: crate::guide::quick_start\n\n"
    };
}

/// Includes a page of `crates/mp/guide`.
///
/// Links to other pages (`[RPC][rpc.md]`) lead to files in the repository, by definitions at the
/// end of the page. Here the definitions of `links!` precede them, and the first definition of a
/// link is the valid one.
macro_rules! page {
    ($name:ident, $file:literal) => {
        #[doc = links!()]
        #[doc = include_str!(concat!("../guide/", $file))]
        pub mod $name {}
    };
}

page!(quick_start, "quick-start.md");

//! The generated code causes no warnings, whatever the lints of the program.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]
#![deny(elided_lifetimes_in_paths, missing_debug_implementations, private_interfaces)]

use mp::prelude::*;
use mp::{Node, rpc_methods};

mod inner {
    use mp::core::{FromVariant, Variant};

    struct Points(i64);

    impl FromVariant for Points {
        fn from_variant(value: Variant) -> Result<Self, mp::core::variant::FromVariantError> {
            i64::from_variant(value).map(Self)
        }
    }

    impl From<Points> for Variant {
        fn from(points: Points) -> Self {
            points.0.into()
        }
    }

    #[derive(Debug, Default, mp::Node)]
    pub(crate) struct Score {
        #[replicate(always)]
        points: i64,
    }

    #[mp::rpc_methods]
    impl Score {
        #[rpc(any_peer)]
        fn add(&mut self, points: Points) {
            self.points += points.0;
        }
    }
}

/// A node without RPCs.
#[derive(Debug, Default, Node)]
pub struct Plain;

/// A node with RPCs that is exported.
#[derive(Debug, Default, Node)]
pub struct Exported;

#[rpc_methods]
impl Exported {
    #[rpc]
    fn shown(total: i64);
}

fn main() {
    let branch = Branch::builder("/root").setup(|scene| {
        scene.add("Plain", Plain)?;
        scene.add("Exported", Exported)?;
        scene.add("Score", inner::Score::default())
    });
    branch.build().unwrap();
}

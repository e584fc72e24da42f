//! Setups of a branch: the results that they return, and the errors of `build`.

use std::error::Error;
use std::num::ParseIntError;

use mp_scene::prelude::*;
use mp_scene::{BuildError, SetupError, TreeError};

#[test]
fn a_setup_returns_the_result_of_add_or_any_value_with_any_error() {
    let branch = Branch::builder("/root/Game")
        .setup(|scene| scene.add("Players", Group))
        .setup(|scene| scene.add_instance(".", Instance::new("Stats", Group)))
        .setup(|scene| {
            let index: u8 = "3".parse()?;
            scene.add(&format!("Level{index}"), Group)?;
            Ok(index)
        });
    let mut branch = branch.build().unwrap();
    for path in ["Players", "Stats", "Level3"] {
        assert!(branch.scene().find(path).is_ok(), "{path}");
    }
}

#[test]
fn build_reports_the_first_setup_that_fails_with_its_error_as_source() {
    fn level(_: &mut Scene) -> Result<(), SetupError> {
        let _: u8 = "three".parse()?;
        Ok(())
    }
    let branch = Branch::builder("/root/Game").setup(level).setup(|scene| scene.add("/", Group));
    let error = branch.build().unwrap_err();
    assert_eq!(error.to_string(), "cannot set up the branch /root/Game");
    assert!(error.source().unwrap().is::<ParseIntError>(), "{error:?}");
}

#[test]
fn an_invalid_root_path_is_reported_without_a_setup() {
    let error = Branch::builder("Game").build().unwrap_err();
    assert!(matches!(error, BuildError::RootPath(TreeError::BadRootPath(_))), "{error:?}");
}

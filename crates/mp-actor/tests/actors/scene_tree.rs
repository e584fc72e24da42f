//! The directory of branches.

use mp_actor::SceneTreeError;
use mp_actor::prelude::*;

use crate::common::*;

#[test]
fn longest_matching_root_path_is_found() {
    run(async {
        let tree = SceneTree::new();
        let root = empty_branch("/root").in_tree(&tree).start().await.unwrap();
        let game = empty_branch("/root/Game").in_tree(&tree).start().await.unwrap();
        let arena = empty_branch("/root/Game/Arena").in_tree(&tree).start().await.unwrap();

        let table = [
            ("/root/Game/Arena/Players/7", &arena),
            ("/root/Game/Arena", &arena),
            ("/root/Game/ArenaTwo", &game),
            ("/root/Game", &game),
            ("/root/Game/", &game),
            ("/root/Games", &root),
            ("/root", &root),
        ];
        for (path, branch) in table {
            assert_eq!(tree.multiplayer(path).as_ref(), Some(branch), "{path}");
        }
        for path in ["/", "/other", "/rooted", "root/Game", ""] {
            assert_eq!(tree.multiplayer(path), None, "{path}");
        }
    });
}

#[test]
fn slash_is_a_root_path() {
    run(async {
        let tree = SceneTree::new();
        let branch = empty_branch("/root").start().await.unwrap();
        tree.set_multiplayer("/", &branch).unwrap();
        assert_eq!(tree.multiplayer("/anything/below"), Some(branch));
    });
}

#[test]
fn ended_branch_is_removed() {
    run(async {
        let tree = SceneTree::new();
        let outer = empty_branch("/root").in_tree(&tree).start().await.unwrap();
        let inner = empty_branch("/root/Game").in_tree(&tree).start().await.unwrap();

        inner.close().await;

        assert_eq!(tree.multiplayer("/root/Game/Players"), Some(outer));
        assert_eq!(format!("{tree:?}"), r#"{"/root"}"#);
        let relisted = tree.set_multiplayer("/root/Game", &inner);
        assert_eq!(relisted, Err(SceneTreeError::Ended(EndReason::Closed)));
    });
}

#[test]
fn later_branch_replaces_an_earlier_one() {
    run(async {
        let tree = SceneTree::new();
        let first = empty_branch("/root").in_tree(&tree).start().await.unwrap();
        let second = empty_branch("/root").in_tree(&tree).start().await.unwrap();
        first.close().await;
        assert_eq!(tree.multiplayer("/root/Any"), Some(second));
    });
}

#[test]
fn entry_does_not_keep_a_branch_open() {
    run(async {
        let tree = SceneTree::new();
        let (server, address) = serve(empty_branch("/root").in_tree(&tree)).await;
        let client = join(empty_branch("/root"), &address, 2).await;
        drop(server);
        assert!(matches!(client.closed().await, EndReason::Disconnected(_)));
        assert_eq!(tree.multiplayer("/root"), None);
    });
}

#[test]
fn relative_paths_are_rejected() {
    run(async {
        let tree = SceneTree::new();
        let branch = empty_branch("/root").start().await.unwrap();
        let listed = tree.set_multiplayer("root/Game", &branch);
        assert_eq!(listed, Err(SceneTreeError::NotAbsolute("root/Game".to_owned())));
    });
}

//! Ids of a node's RPC methods.
#![expect(clippy::exhaustive_structs, reason = "an entry of a table that programs build")]

use std::collections::BTreeMap;
use std::rc::Rc;

use md5::{Digest, Md5};

use super::RpcConfig;

/// The RPC methods of a node by id. All peers must assign the same ids.
///
/// There are two tables, each sorted by code point: the script's (in Rust: the
/// [`RpcTable`](super::RpcTable)) with ids from 0, and the node's own (`rpc_config`) with ids from
/// 0x8000. As in Godot 4.6.3, a name in both tables has two ids for received calls, and calls are
/// sent with the script's; an entry without a mode reserves its id.
#[derive(Debug, Default)]
pub struct RpcIds {
    node: Vec<RpcEntry>,
    script: Vec<RpcEntry>,
    checksum: [u8; 32],
}

/// A method in a table of RPC ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcEntry {
    /// The method name.
    pub name: Rc<str>,
    /// The settings of the method; `None` reserves the id.
    pub config: Option<RpcConfig>,
}

impl RpcIds {
    /// Bit 15: the method is in the node's own table.
    const NODE_LEVEL: u16 = 0x8000;

    /// Assigns ids to the methods of a script, in any order, for an implementation of
    /// [`NodeTree`](crate::tree::NodeTree). Of two methods with one name the last one counts.
    pub fn of_methods<'a>(methods: impl IntoIterator<Item = (&'a str, RpcConfig)>) -> Self {
        let script = methods.into_iter().map(|(name, config)| (name, Some(config)));
        let script: BTreeMap<_, _> = script.collect();
        Self::new(&BTreeMap::new(), script.into_iter())
    }

    pub(crate) fn new<'a>(
        node: &BTreeMap<String, Option<RpcConfig>>,
        script: impl Iterator<Item = (&'a str, Option<RpcConfig>)>,
    ) -> Self {
        let entry = |name: &str, config| RpcEntry { name: name.into(), config };
        let node: Vec<_> = node.iter().map(|(name, &config)| entry(name, config)).collect();
        let script: Vec<_> = script.map(|(name, config)| entry(name, config)).collect();

        let checksum = checksum(node.iter().chain(&script));
        Self { node, script, checksum }
    }

    /// Returns the method with this id; `None` if there is none or it cannot be called.
    pub fn by_id(&self, id: u16) -> Option<(&Rc<str>, RpcConfig)> {
        let (table, index) = match id & Self::NODE_LEVEL {
            0 => (&self.script, id),
            _ => (&self.node, id & !Self::NODE_LEVEL),
        };
        let entry = table.get(usize::from(index))?;
        Some((&entry.name, entry.config?))
    }

    /// Returns the id and settings with which `name` is called.
    pub fn by_name(&self, name: &str) -> Option<(u16, RpcConfig)> {
        let in_table = |table: &[RpcEntry]| {
            let index = table.binary_search_by(|entry| (*entry.name).cmp(name)).ok()?;
            Some((u16::try_from(index).ok()?, table[index].config?))
        };
        in_table(&self.script)
            .or_else(|| in_table(&self.node).map(|(id, config)| (id | Self::NODE_LEVEL, config)))
    }

    /// Returns the MD5 of all names in order of their ids, the node's own table first, as 32
    /// lower-case hexadecimal digits. SIMPLIFY_PATH contains it, so that peers detect different
    /// tables.
    pub fn checksum(&self) -> &[u8; 32] {
        &self.checksum
    }

    /// Describes the difference to the table of a peer with checksum `other`: the local method that
    /// the peer lacks, if it lacks exactly one; else all local methods, since the checksum does not
    /// reveal more. `None` if the checksum is unknown.
    pub fn difference(&self, other: Option<&[u8; 32]>) -> String {
        let ours = || self.node.iter().chain(&self.script);
        let lacks = |lacking: &&RpcEntry| {
            let without = checksum(ours().filter(|entry| !std::ptr::eq(*entry, *lacking)));
            other == Some(&without)
        };
        if let Some(lacking) = ours().take(SEARCHED_MAX).find(lacks) {
            return format!("the remote peer lacks {:?}", lacking.name);
        }
        let names: Vec<_> = ours().map(|entry| &*entry.name).collect();
        format!("compare the remote peer's methods with {names:?}")
    }

    /// Returns the script's methods; the index is the id.
    pub fn script(&self) -> &[RpcEntry] {
        &self.script
    }

    /// Returns the node's own methods; the index is the id minus 0x8000.
    pub fn node(&self) -> &[RpcEntry] {
        &self.node
    }
}

fn checksum<'a>(entries: impl Iterator<Item = &'a RpcEntry>) -> [u8; 32] {
    let mut md5 = Md5::new();
    for entry in entries {
        md5.update(entry.name.as_bytes());
    }
    let mut checksum = [0; 32];
    for (pair, byte) in checksum.chunks_exact_mut(2).zip(md5.finalize()) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    checksum
}

/// Maximum number of methods tried as the missing one: each takes a checksum, and an
/// unauthenticated peer can cause the search.
const SEARCHED_MAX: usize = 64;

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_methods_has_the_md5_of_no_bytes() {
        let ids = RpcIds::new(&BTreeMap::new(), std::iter::empty());
        assert_eq!(ids.checksum(), b"d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn difference_names_the_only_missing_method() {
        let table = |names: &[&'static str]| {
            let any = Some(RpcConfig::any_peer());
            let script: BTreeMap<_, _> = names.iter().map(|&name| (name, any)).collect();
            RpcIds::new(&BTreeMap::new(), script.into_iter())
        };
        let ours = table(&["duck", "jump", "run"]);
        let difference = |names| ours.difference(Some(table(names).checksum()));
        assert_eq!(difference(&["duck", "run"]), "the remote peer lacks \"jump\"");
        let unknown = "compare the remote peer's methods with [\"duck\", \"jump\", \"run\"]";
        assert_eq!(difference(&["duck", "fly", "jump", "run"]), unknown);
    }

    #[test]
    fn of_methods_sorts_the_methods() {
        let any = RpcConfig::any_peer();
        let ids = RpcIds::of_methods([("run", any), ("duck", any)]);
        let same = RpcIds::of_methods([("duck", any), ("run", any)]);
        assert_eq!(ids.by_name("duck").unwrap().0, 0);
        assert_eq!(ids.by_name("run").unwrap().0, 1);
        assert_eq!(ids.checksum(), same.checksum());
    }

    #[test]
    fn method_ids_are_sorted_by_code_point() {
        let any = Some(RpcConfig::any_peer());
        let script: BTreeMap<_, _> = ["b", "m2", "B", "m10", "_a"].map(|name| (name, any)).into();
        let node = BTreeMap::from([("b".to_owned(), any), ("own".to_owned(), any)]);
        let ids = RpcIds::new(&node, script.into_iter());
        let number = |name| ids.by_name(name).unwrap().0;
        assert_eq!(["B", "_a", "b", "m10", "m2"].map(number), [0, 1, 2, 3, 4]);
        assert_eq!(number("own"), 0x8001);
        assert_eq!(ids.by_id(0x8000).unwrap().0.as_ref(), "b");
        assert_eq!(ids.by_id(5), None);
        assert_eq!(ids.by_id(0x8002), None);
    }
}

//! Spawned nodes and their properties.

use std::rc::Rc;

use bytes::Bytes;
use mp_scene::codec::godot::variant::Decoder;
use mp_scene::codec::godot::{SYNCHRONIZER_BY_PATH, next_delta_element, next_sync_element};
use mp_scene::codec::{DecodeError, Limits};
use mp_scene::{Spawn, SpawnSource};

use super::WireDecoder;
use super::message::{DecodedElement, DecodedProperties, NodeName, SpawnedFrom, WireMessage};
use super::paths::Sender;
use super::spawned::KnownSynchronizer;
use crate::limits::{ALLOCATION_MAX, ELEMENTS_MAX};
use crate::names::{SceneNames, SynchronizerNames};

impl WireDecoder {
    pub(super) fn spawn(&mut self, sender: Sender, spawn: Spawn) -> WireMessage {
        let spawner = self.paths.get(sender, spawn.spawner).map(|node| Rc::clone(&node.path));
        let mut path: Rc<str> = spawn.name.as_str().into();
        let mut scene = None;
        if let Some(spawner) = &spawner {
            let names = self.names.as_deref();
            let mut scenes = self.spawned.scenes_at(names, spawner);
            let found = scenes.find_map(|(scene, inner, root)| Some((scene.spawner(inner)?, root)));
            if let Some((spawner, root)) = found {
                path = match &*spawner.spawn_path {
                    "." => format!("{root}/{}", spawn.name).into(),
                    parent => format!("{root}/{parent}/{}", spawn.name).into(),
                };
                if let SpawnSource::Scene(number) = spawn.source {
                    scene = spawner.scenes.get(usize::from(number)).cloned();
                }
            }
        }
        let source = match (spawn.source, &scene) {
            (SpawnSource::Data(data), _) => SpawnedFrom::Data(data),
            (SpawnSource::Scene(_), Some(scene)) => SpawnedFrom::Scene(scene.as_str().into()),
            (SpawnSource::Scene(number), None) => SpawnedFrom::Number(number),
        };
        let scene = scene.and_then(|scene| self.names.as_ref()?.scene(&scene).cloned());
        let synchronizers = synchronizers(&path, scene.as_deref(), &spawn.synchronizers);
        let named: Option<Vec<&Rc<SynchronizerNames>>> =
            synchronizers.iter().map(|(_, synchronizer)| synchronizer.names.as_ref()).collect();
        let mut names = Vec::new();
        for synchronizer in named.iter().flatten() {
            names.extend(synchronizer.spawn.iter().map(|name| match named.as_deref() {
                Some([_]) => Rc::clone(name),
                _ => format!("{}:{name}", synchronizer.path).into(),
            }));
        }
        let state = self.properties(names, &spawn.state, &mut ALLOCATION_MAX.clone());
        let (id, scene) = (spawn.net_id, scene.as_ref());
        if !self.spawned.insert(sender, id, &path, scene, synchronizers) {
            self.stats.not_kept += 1;
        }
        WireMessage::Spawn { path, source, net_id: id, state }
    }

    pub(super) fn sync(
        &self,
        sender: Sender,
        mut elements: Bytes,
    ) -> Result<Vec<DecodedElement>, DecodeError> {
        let (mut decoded, mut memory) = (Vec::new(), ALLOCATION_MAX);
        while let Some(element) = next_sync_element(&mut elements) {
            let (id, values) = element?;
            let (synchronizer, names) = self.synchronizer(sender, id);
            let names = names.map(|names| names.sync.clone()).unwrap_or_default();
            let properties = self.properties(names, &values, &mut memory);
            if decoded.len() < ELEMENTS_MAX {
                decoded.push(DecodedElement { synchronizer, properties });
            }
        }
        Ok(decoded)
    }

    pub(super) fn delta(
        &self,
        sender: Sender,
        mut elements: Bytes,
    ) -> Result<Vec<DecodedElement>, DecodeError> {
        let (mut decoded, mut memory) = (Vec::new(), ALLOCATION_MAX);
        while let Some(element) = next_delta_element(&mut elements) {
            let (id, mask, values) = element?;
            let (synchronizer, names) = self.synchronizer(sender, id);
            let names = names.as_ref().and_then(|names| changed(&names.delta, mask));
            let properties = self.properties(names.unwrap_or_default(), &values, &mut memory);
            if decoded.len() < ELEMENTS_MAX {
                decoded.push(DecodedElement { synchronizer, properties });
            }
        }
        Ok(decoded)
    }

    /// Returns the synchronizer that `sender` refers to by `id`, and the names of its properties.
    fn synchronizer(&self, sender: Sender, id: u32) -> (NodeName, Option<Rc<SynchronizerNames>>) {
        if id & SYNCHRONIZER_BY_PATH == 0 {
            return match self.spawned.synchronizer(sender, id) {
                Some(known) => (NodeName::Path(Rc::clone(&known.path)), known.names.clone()),
                None => (NodeName::Id(id), None),
            };
        }
        let id = id & !SYNCHRONIZER_BY_PATH;
        let Some(node) = self.paths.get(sender, id) else { return (NodeName::Id(id), None) };
        let mut scenes = self.spawned.scenes_at(self.names.as_deref(), &node.path);
        let names = scenes.find_map(|(scene, inner, _)| scene.synchronizer(inner));
        (NodeName::Path(Rc::clone(&node.path)), names.cloned())
    }

    /// Decodes values up to the end, within `memory`, which is reduced. The names are dropped if
    /// there are more or fewer values.
    fn properties(
        &self,
        names: Vec<Rc<str>>,
        bytes: &[u8],
        memory: &mut usize,
    ) -> DecodedProperties {
        let limits = Limits { allocation: *memory, ..self.limits };
        let mut decoder = Decoder::new(bytes, &limits);
        let mut values = Vec::new();
        while !decoder.rest().is_empty() {
            let (mut value, error) = decoder.compressed_list(1);
            if error.is_some() {
                break;
            }
            values.append(&mut value);
        }
        *memory = memory.saturating_sub(decoder.allocated());
        let names = if names.len() == values.len() { names } else { Vec::new() };
        DecodedProperties { names, values, malformed_bytes: decoder.rest().len() }
    }
}

/// Returns the synchronizers of a spawned node. Those that the sender has no authority over are
/// missing in the packet, so names are certain only if all are there.
fn synchronizers(
    path: &str,
    scene: Option<&SceneNames>,
    ids: &[u32],
) -> Vec<(u32, KnownSynchronizer)> {
    let scene = scene.map(SceneNames::synchronizers);
    let scene = scene.filter(|all| all.len() == ids.len()).unwrap_or_default();
    let known = ids.iter().take(ELEMENTS_MAX).enumerate().map(|(index, &id)| {
        let names = scene.get(index).cloned();
        let path = match names.as_deref().map(|names| &*names.path) {
            Some(".") => path.into(),
            Some(inner) => format!("{path}/{inner}").into(),
            None if ids.len() == 1 => path.into(),
            None => format!("{path}/#{index}").into(),
        };
        (id, KnownSynchronizer { path, names })
    });
    known.collect()
}

/// Returns the names of the properties in the mask of a DELTA; `None` if there is an unknown bit.
fn changed(names: &[Rc<str>], mask: u64) -> Option<Vec<Rc<str>>> {
    let bits = (0..u64::BITS as usize).filter(|bit| mask >> bit & 1 == 1);
    bits.map(|bit| names.get(bit).cloned()).collect()
}

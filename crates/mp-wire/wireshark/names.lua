-- Names of methods and properties, of the game's project, and of nodes that were announced.

-- Scripts by the checksum of their methods: { path, { name, argument, ... }, ... }. Godot numbers
-- methods by name. `mp-server wireshark --project` adds those of a game, and its scenes.
local SCRIPTS = {}

-- Scenes by path. Their spawners by path: { path of the parent of spawned nodes, scene, ... }. Their
-- synchronizers in the order of the tree: { path, spawn, sync, delta }, lists of properties. Paths
-- of nodes are relative to the root, which is ".".
local SCENES = {}

-- Paths of the scenes that may be at the top of a tree, by the name of their root node.
local ROOTS = {}

-- Most nodes that are remembered.
local NODES_MAX = 200000

-- Nodes by sender and id, oldest first. Wireshark dissects a frame again when it is selected, so
-- each has the number of its frame.
local Nodes = {}
Nodes.__index = Nodes

function Nodes.new()
  return setmetatable({ lists = {}, count = 0 }, Nodes)
end

function Nodes:insert(pinfo, sender, id, node)
  if pinfo.visited or self.count >= NODES_MAX then return end
  local key = sender .. "#" .. id
  local list = self.lists[key] or {}
  self.lists[key] = list
  list[#list + 1] = { frame = pinfo.number, node = node }
  self.count = self.count + 1
end

-- Returns the node that was inserted last, before or in this frame.
function Nodes:get(pinfo, sender, id)
  local list = self.lists[sender .. "#" .. id] or {}
  for at = #list, 1, -1 do
    if list[at].frame <= pinfo.number then return list[at].node end
  end
end

-- Returns the first value of `find(scene, path relative to its root, path of its root)`, over the
-- scenes that may contain the node at `path`. `spawned` returns the path of the scene of a node.
local function find_in_scenes(path, spawned, find)
  local root, last = path, "."
  while root do
    local scene = SCENES[spawned(root)]
    local found = scene and find(scene, last, root)
    if found then return found end
    root = root:match("^(.+)/[^/]*$")
    last = root and path:sub(#root + 2)
  end
  local first, rest = path:match("^([^/]*)/?(.*)$")
  for _, scene in ipairs(ROOTS[first] or {}) do
    local found = SCENES[scene] and find(SCENES[scene], rest == "" and "." or rest, first)
    if found then return found end
  end
end

-- Returns the spawner at a path, as { path of the parent of spawned nodes, scene, ... }.
local function find_spawner(path, spawned)
  return find_in_scenes(path, spawned, function(scene, inner, root)
    local spawner = scene.spawners[inner]
    if not spawner then return end
    local parent = spawner[1] == "." and root or root .. "/" .. spawner[1]
    return { parent = parent, spawner = spawner }
  end)
end

-- Returns the synchronizer at a path.
local function find_synchronizer(path, spawned)
  return find_in_scenes(path, spawned, function(scene, inner)
    for _, synchronizer in ipairs(scene.synchronizers) do
      if synchronizer[1] == inner then return synchronizer end
    end
  end)
end

-- Returns the synchronizers of a scene with `count` of them. Those that the sender of a spawned node
-- has no authority over are missing in the packet, so names are certain only if all are there.
local function synchronizers_of(scene, count)
  local all = SCENES[scene] and SCENES[scene].synchronizers or {}
  return #all == count and all or {}
end

-- Returns the names of the bits that are set in the two halves of a mask; none if one is unknown.
local function changed(names, low, high)
  local properties = {}
  for at = 1, 64 do
    local half, bit = at <= 32 and low or high, (at - 1) % 32
    if math.floor(half / 2 ^ bit) % 2 == 1 then
      if not names[at] then return {} end
      properties[#properties + 1] = names[at]
    end
  end
  return properties
end

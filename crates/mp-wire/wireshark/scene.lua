-- Packets of SceneMultiplayer.

local godot = Proto("godot", "Godot SceneMultiplayer")

local KINDS = {
  [0] = "RPC", "SIMPLIFY_PATH", "CONFIRM_PATH", "RAW", "SPAWN", "DESPAWN", "SYNC", "SYS",
}
local SYS_KINDS = { [0] = "AUTH", "ADD_PEER", "DEL_PEER", "RELAY" }

local g = {
  kind = ProtoField.string("godot.kind", "Kind"),
  relay = ProtoField.int32("godot.relay", "Relayed to or from peer"),
  node = ProtoField.string("godot.node", "Node"),
  node_id = ProtoField.uint32("godot.node_id", "Node id"),
  method = ProtoField.string("godot.method", "Method"),
  method_id = ProtoField.uint16("godot.method_id", "Method id"),
  argument = ProtoField.string("godot.argument", "Argument"),
  script = ProtoField.string("godot.script", "Script"),
  checksum = ProtoField.string("godot.checksum", "Checksum of the methods"),
  matches = ProtoField.bool("godot.methods_match", "Methods of both peers match"),
  peer = ProtoField.int32("godot.peer", "Peer"),
  net_id = ProtoField.uint32("godot.net_id", "Net id"),
  scene = ProtoField.uint8("godot.scene", "Scene number"),
  time = ProtoField.uint16("godot.sync_time", "Sequence number"),
  mask = ProtoField.uint64("godot.mask", "Changed properties", base.HEX),
  property = ProtoField.string("godot.property", "Property"),
  value = ProtoField.string("godot.value", "Value"),
  data = ProtoField.bytes("godot.data", "Data"),
}
local malformed_packet =
  ProtoExpert.new("godot.malformed", "Malformed packet", expert.group.MALFORMED, expert.severity.ERROR)
godot.fields = g
godot.experts = { malformed_packet }

-- Announced nodes { path, checksum } by id and by path, synchronizers { path, names } and paths of
-- spawned nodes by net id, scenes of spawned nodes by connection and path, and the connections, as
-- text, whose sender is the server.
local announced, announced_paths, synchronizers, spawned, spawned_scenes, from_servers

function godot.init()
  announced, announced_paths = Nodes.new(), Nodes.new()
  synchronizers, spawned, spawned_scenes = Nodes.new(), Nodes.new(), Nodes.new()
  from_servers = {}
end

-- Returns the connection of a packet, as text, and the same for its replies.
local function connection(pinfo)
  local source = tostring(pinfo.src) .. ":" .. pinfo.src_port
  local destination = tostring(pinfo.dst) .. ":" .. pinfo.dst_port
  return source .. ">" .. destination, destination .. ">" .. source
end

-- A packet that is dissected: its bytes, tree, and the sender, whose ids it contains.
local Packet = {}
Packet.__index = Packet

-- Adds a field for the bytes since position `from` of the reader.
function Packet:add(field, from, shown_value)
  local size = self.r.at - from
  local range = self.tvb(from - 1, size)
  return self.tree:add(field, range, shown_value)
end

-- Returns the path of a node that was announced, or its id.
function Packet:node(id, sender)
  local node = announced:get(self.pinfo, sender or self.sender, id)
  return node and node.path or "#" .. id, node
end

-- Returns a function that returns the scene of a spawned node by its path.
function Packet:spawned()
  return function(path) return spawned_scenes:get(self.pinfo, self.link, path) or "" end
end

-- Returns the number of values up to the end of the reader; nil if one is malformed.
local function count_values(r)
  local count = 0
  local ok = try(function()
    while r:left() > 0 do
      compressed_value(r)
      count = count + 1
    end
  end)
  return ok and count or nil
end

-- Reads compressed values of properties up to the end of the reader. Returns their text. Names are
-- shown if there are as many.
function Packet:values(names)
  local text, r = "", self.r
  if #names > 0 and count_values(Reader.new(r.bytes, r.at, r.last)) ~= #names then names = {} end
  local index = 0
  while r:left() > 0 do
    local from = r.at
    index = index + 1
    local part, name = compressed_value(r), names[index]
    local item = self:add(g.value, from, part)
    if name then
      part = name .. " = " .. part
      item:set_text(part)
      item:add(g.property, self.tvb(from - 1, r.at - from), name)
    end
    text = append(text, part)
  end
  return text
end

-- Reads `size` bytes of values within the packet: of the properties that `names_of` returns for the
-- synchronizer with this id.
function Packet:element(id, size, names_of)
  local r, from = self.r, self.r.at
  r:take(size)
  local inner = setmetatable({ r = Reader.new(r.bytes, from, r.at - 1) }, { __index = self })
  local path, names
  if id >= 0x80000000 then
    path = self:node(id - 0x80000000)
    names = find_synchronizer(path, self:spawned())
  else
    local known = synchronizers:get(self.pinfo, self.sender, id) or { path = "#" .. id }
    path, names = known.path, known.names
  end
  self:add(g.node, from, path)
  return path .. " " .. inner:values(names and names_of(names) or {})
end

local function simplify_path(p)
  local r, from = p.r, p.r.at
  local checksum = r:take(32)
  r:take(1)
  local script = SCRIPTS[checksum]
  p:add(g.checksum, from, shown(checksum))
  if script then p:add(g.script, from, script[1]) end
  from = r.at
  local id = r:u32()
  p:add(g.node_id, from, id)
  from = r.at
  local path = shown(r:cstring())
  p:add(g.node, from, path)
  local node = { path = path, checksum = checksum }
  announced:insert(p.pinfo, p.sender, id, node)
  announced_paths:insert(p.pinfo, p.sender, path, node)
  return path .. " as " .. id
end

local function confirm_path(p)
  local r, from = p.r, p.r.at
  local matches = r:u8() ~= 0
  p:add(g.matches, from, matches)
  from = r.at
  local id = r:u32()
  p:add(g.node_id, from, id)
  local path = p:node(id, p.receiver)
  p:add(g.node, from, path)
  return path .. (matches and "" or ", but the methods differ")
end

local NODE_ID_SIZES = { [0] = { "<I1", 1 }, { "<I2", 2 }, { "<I4", 4 } }

local function call(p, meta)
  local r, start = p.r, p.r.at - 1
  local size = NODE_ID_SIZES[math.floor(meta / 16) % 4] or malformed("invalid size of the node id")
  local from = r.at
  local id = r:number(size[1], size[2])
  local path, node
  if size[2] == 4 and id >= 0x80000000 then
    local path_at = start + id - 0x80000000
    if path_at <= r.at or path_at > r.last then malformed("path outside of the packet") end
    path = shown(Reader.new(r.bytes, path_at, r.last):cstring())
    node = announced_paths:get(p.pinfo, p.sender, path)
    p.tree:add(g.node, p.tvb(path_at - 1, r.last - path_at + 1), path)
    r.last = path_at - 1
  else
    path, node = p:node(id)
    p:add(g.node_id, from, id)
    p:add(g.node, from, path)
  end
  from = r.at
  local method = math.floor(meta / 64) % 2 == 1 and r:u16() or r:u8()
  local script = node and SCRIPTS[node.checksum]
  local names = script and script[method + 2] or { "#" .. method }
  p:add(g.method_id, from, method)
  p:add(g.method, from, names[1])
  local text = path .. "." .. names[1]
  if meta >= 128 then
    from = r.at
    if r:left() == 0 then return text .. "()" end
    local bytes = shown_bytes(r:take(r:left()))
    p:add(g.argument, from, bytes)
    return text .. "(" .. bytes .. ")"
  end
  local arguments = ""
  for at = 1, r:u8() do
    from = r.at
    local argument = compressed_value(r)
    if names[at + 1] then argument = names[at + 1] .. ": " .. argument end
    p:add(g.argument, from, argument)
    arguments = append(arguments, argument)
  end
  return text .. "(" .. arguments .. ")"
end

local function raw(p)
  local from = p.r.at
  local bytes = p.r:take(p.r:left())
  if #bytes > 0 then p.tree:add(g.data, p.tvb(from - 1, #bytes)) end
  return shown_bytes(bytes)
end

local function spawn(p)
  local r, from = p.r, p.r.at
  local scene = r:u8()
  p:add(g.scene, from, scene)
  from = r.at
  local spawner = p:node(r:u32())
  p:add(g.node, from, spawner):prepend_text("Spawner: ")
  from = r.at
  local id = r:u32()
  p:add(g.net_id, from, id)
  local count, name_size = r:u32(), r:u32()
  if count * 4 > r:left() then malformed("too many synchronizers") end
  local ids = {}
  for at = 1, count do ids[at] = r:u32() end
  from = r.at
  local name = shown(r:take(name_size):gsub("\0.*", ""))
  local found = find_spawner(spawner, p:spawned())
  local path, inner = name, {}
  if found then
    path = found.parent .. "/" .. name
    local source = scene < 255 and found.spawner[scene + 2]
    if source then
      spawned_scenes:insert(p.pinfo, p.link, path, source)
      inner = synchronizers_of(source, count)
    end
  end
  p:add(g.node, from, path)
  spawned:insert(p.pinfo, p.sender, id, path)
  local properties = {}
  for at = 1, count do
    local names = inner[at]
    local last = names and names[1] or (count == 1 and "." or "#" .. at)
    local synchronizer = last == "." and path or path .. "/" .. last
    synchronizers:insert(p.pinfo, p.sender, ids[at], { path = synchronizer, names = names })
    for _, property in ipairs(names and names.spawn or {}) do
      if count > 1 then property = last .. ":" .. property end
      properties[#properties + 1] = property
    end
  end
  local text = path .. " by " .. spawner
  if scene == 255 then
    local size = r:u32()
    from = r.at
    r:take(size)
    local data = compressed_value(Reader.new(r.bytes, from, r.at - 1))
    p:add(g.argument, from, data)
    text = text .. "(" .. data .. ")"
  end
  return text .. " as " .. id .. ": " .. p:values(properties)
end

local function despawn(p)
  local from = p.r.at
  local id = p.r:u32()
  p:add(g.net_id, from, id)
  local name = spawned:get(p.pinfo, p.sender, id) or "#" .. id
  p:add(g.node, from, name)
  return name
end

local function sync(p)
  local r, from = p.r, p.r.at
  local time, text = r:u16(), ""
  p:add(g.time, from, time)
  while r:left() > 0 do
    local id = r:u32()
    local size = r:u32()
    text = append(text, p:element(id, size, function(names) return names.sync end))
  end
  return time .. ": " .. text
end

local function delta(p)
  local r, text = p.r, ""
  while r:left() > 0 do
    local id, from = r:u32(), r.at
    local low, high = r:u32(), r:u32()
    p.tree:add_le(g.mask, p.tvb(from - 1, 8))
    text = append(text, p:element(id, r:u32(), function(names)
      return changed(names.delta, low, high)
    end))
  end
  return text
end

local READERS = { [0] = call, simplify_path, confirm_path, raw, spawn, despawn }

local packet

local function sys(p)
  local r, from = p.r, p.r.at - 1
  local number = r:u8()
  local kind = SYS_KINDS[number] or malformed("unknown SYS command " .. number)
  p:add(g.kind, from, kind)
  if kind == "AUTH" then
    return "AUTH " .. (r:left() == 0 and "complete" or string.format("(%d bytes)", #r:take(r:left())))
  end
  from = r.at
  local peer = r:i32()
  if kind ~= "RELAY" then
    p:add(g.peer, from, peer)
    return kind .. " " .. peer
  end
  if p.relay then malformed("RELAY within a RELAY") end
  p:add(g.relay, from, peer)
  p.relay = peer
  -- From the server the number is that of the sender, else that of the receivers.
  if from_servers[p.sender] then
    p.sender = p.sender .. "|" .. peer
  else
    p.receiver = p.receiver .. "|" .. peer
  end
  return "[" .. peer .. "] " .. packet(p)
end

-- Dissects a packet from the reader's position on. Returns its text.
packet = function(p)
  local from = p.r.at
  local meta = p.r:u8()
  local number = meta % 8
  if number == 7 then return sys(p) end
  local is_delta = number == 6 and math.floor(meta / 16) % 2 == 1
  local kind = is_delta and "DELTA" or KINDS[number]
  p:add(g.kind, from, kind)
  p.kind = kind
  if number == 0 then return kind .. " " .. call(p, meta) end
  if number == 6 then return kind .. " " .. (is_delta and delta or sync)(p) end
  return kind .. " " .. READERS[number](p)
end

-- Dissects the bytes of a Tvb. Returns a text for the column Info.
local function dissect_scene(tvb, pinfo, root)
  local tree = root:add(godot, tvb())
  local p = { tvb = tvb, tree = tree, pinfo = pinfo, r = Reader.new(tvb:raw()) }
  p.sender, p.receiver = connection(pinfo)
  p.link = p.sender < p.receiver and p.sender or p.receiver
  setmetatable(p, Packet)
  local text
  local ok, reason = try(function() text = packet(p) end)
  if not ok then
    text = (p.kind or "packet") .. " malformed: " .. reason
    tree:add_proto_expert_info(malformed_packet, text)
  end
  tree:append_text(": " .. text)
  return text
end

-- A message of a WebSocket connection.
function godot.dissector(tvb, pinfo, root)
  pinfo.cols.protocol = "Godot"
  if tvb:len() > 0 then pinfo.cols.info = dissect_scene(tvb, pinfo, root) end
end

-- The first message of a WebSocket server: the peer id of the client.
local godot_id = Proto("godot.id", "Godot peer id")
godot_id.fields = { ProtoField.int32("godot.id.peer", "Peer") }

function godot_id.dissector(tvb, pinfo, root)
  pinfo.cols.protocol = "Godot"
  from_servers[connection(pinfo)] = true
  local tree = root:add(godot_id, tvb())
  if tvb:len() < 4 then return end
  tree:add_le(godot_id.fields[1], tvb(0, 4))
  pinfo.cols.info = "the client is peer " .. tvb(0, 4):le_int()
end

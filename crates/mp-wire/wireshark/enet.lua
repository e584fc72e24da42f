-- Datagrams of ENet 1.3.

local enet = Proto("enet", "ENet")

-- Commands by number: name, length without payload, and the first byte that ENet sends.
local COMMANDS = {
  { "ACKNOWLEDGE", 8, 0x01 }, { "CONNECT", 48, 0x82 }, { "VERIFY_CONNECT", 44, 0x83 },
  { "DISCONNECT", 8, 0x84 }, { "PING", 4, 0x85 }, { "SEND_RELIABLE", 6, 0x86 },
  { "SEND_UNRELIABLE", 8, 0x07 }, { "SEND_FRAGMENT", 24, 0x88 }, { "SEND_UNSEQUENCED", 8, 0x49 },
  { "BANDWIDTH_LIMIT", 12, 0x8a }, { "THROTTLE_CONFIGURE", 16, 0x8b },
  { "SEND_UNRELIABLE_FRAGMENT", 24, 0x0c },
}
local NAMES = {}
for number, command in ipairs(COMMANDS) do NAMES[number] = command[1] end

-- Position of the payload's length in commands that have one.
local LENGTH_AT = { [6] = 4, [7] = 6, [8] = 6, [9] = 6, [12] = 6 }

local function hex(abbreviation, name)
  return ProtoField.uint32("enet." .. abbreviation, name, base.HEX)
end

local function number(abbreviation, name)
  return ProtoField.uint32("enet." .. abbreviation, name)
end

local e = {
  peer = number("peer", "Peer slot of the receiver"),
  session = number("session", "Session"),
  is_compressed = ProtoField.bool("enet.compressed", "Compressed"),
  time = number("time", "Sent time (ms)"),
  block = ProtoField.string("enet.compression", "Compressed commands"),
  command = ProtoField.uint8("enet.command", "Command", base.DEC, NAMES, 0x0f),
  wants_ack = ProtoField.bool("enet.wants_ack", "Acknowledgement requested", 8, nil, 0x80),
  unsequenced = ProtoField.bool("enet.unsequenced", "Unsequenced", 8, nil, 0x40),
  channel = ProtoField.uint8("enet.channel", "Channel"),
  sequence = number("sequence", "Reliable sequence number"),
  length = number("length", "Length of the payload"),
  payload = ProtoField.bytes("enet.payload", "Payload"),
  rest = ProtoField.bytes("enet.rest", "Not decoded"),
  unreliable = number("unreliable_sequence", "Unreliable sequence number"),
  group = number("group", "Unsequenced group"),
  ack_sequence = number("ack.sequence", "Acknowledged sequence number"),
  ack_time = number("ack.time", "Sent time of the acknowledged datagram (ms)"),
  start = number("fragment.start", "Sequence number of the packet"),
  count = number("fragment.count", "Fragments"),
  index = number("fragment.number", "Fragment number"),
  total = number("fragment.total", "Length of the packet"),
  offset = number("fragment.offset", "Offset in the packet"),
  slot = number("connect.peer", "Peer slot of the sender"),
  incoming_session = number("connect.incoming_session", "Incoming session"),
  outgoing_session = number("connect.outgoing_session", "Outgoing session"),
  mtu = number("mtu", "MTU"),
  window = number("window", "Window size"),
  channels = number("channels", "Channels"),
  incoming = number("incoming_bandwidth", "Incoming bandwidth (bytes per second)"),
  outgoing = number("outgoing_bandwidth", "Outgoing bandwidth (bytes per second)"),
  interval = number("throttle.interval", "Throttle interval (ms)"),
  acceleration = number("throttle.acceleration", "Throttle acceleration"),
  deceleration = number("throttle.deceleration", "Throttle deceleration"),
  connect_id = hex("connect.id", "Connect id"),
  data = number("data", "Data"),
}
enet.fields = e
local invalid_datagram =
  ProtoExpert.new("enet.invalid", "Invalid datagram", expert.group.MALFORMED, expert.severity.WARN)
enet.experts = { invalid_datagram }
enet.prefs.ports =
  Pref.range("UDP ports", "", "Ports whose datagrams are ENet. Others are found by their content", 65535)

local TERMS = {
  { "slot", 4, 2 }, { "incoming_session", 6, 1 }, { "outgoing_session", 7, 1 }, { "mtu", 8, 4 },
  { "window", 12, 4 }, { "channels", 16, 4 }, { "incoming", 20, 4 }, { "outgoing", 24, 4 },
  { "interval", 28, 4 }, { "acceleration", 32, 4 }, { "deceleration", 36, 4 },
  { "connect_id", 40, 4 }, { "data", 44, 4 },
}
local FRAGMENT = {
  { "start", 4, 2 }, { "length", 6, 2 }, { "count", 8, 4 }, { "index", 12, 4 }, { "total", 16, 4 },
  { "offset", 20, 4 },
}

-- Fields of commands after their head: name, offset, size.
local FIELDS = {
  { { "ack_sequence", 4, 2 }, { "ack_time", 6, 2 } }, TERMS, TERMS, { { "data", 4, 4 } }, {},
  { { "length", 4, 2 } }, { { "unreliable", 4, 2 }, { "length", 6, 2 } }, FRAGMENT,
  { { "group", 4, 2 }, { "length", 6, 2 } }, { { "incoming", 4, 4 }, { "outgoing", 8, 4 } },
  { { "interval", 4, 4 }, { "acceleration", 8, 4 }, { "deceleration", 12, 4 } }, FRAGMENT,
}

-- Most bytes, and most packets, of which fragments are kept.
local PARTS_BYTES_MAX, PARTS_MAX = 64 * 1024 * 1024, 1024

-- Incomplete packets by connection, channel and sequence number; their bytes and number; and whole
-- packets by frame and position of the last fragment.
local parts, parts_bytes, parts_count, whole

function enet.init()
  parts, parts_bytes, parts_count, whole = {}, 0, 0, {}
end

-- Adds a fragment. Returns the packet if it is complete.
local function reassembled(pinfo, at, key, fragment, payload)
  local place = pinfo.number .. ":" .. at
  if pinfo.visited then return whole[place] end
  local count, total, offset = fragment.count, fragment.total, fragment.offset
  if fragment.index >= count or count > total or offset + #payload > total then return end
  local packet = parts[key]
  if packet and (packet.count ~= count or packet.total ~= total) then
    parts_bytes, parts_count, packet = parts_bytes - packet.bytes, parts_count - 1, nil
    parts[key] = nil
  end
  if parts_bytes + #payload > PARTS_BYTES_MAX then return end
  if not packet then
    if parts_count >= PARTS_MAX then return end
    packet = { count = count, total = total, bytes = 0, received = 0, payloads = {} }
    parts[key], parts_count = packet, parts_count + 1
  end
  if packet.payloads[fragment.index] then return end
  packet.payloads[fragment.index] = payload
  packet.received, packet.bytes = packet.received + 1, packet.bytes + #payload
  parts_bytes = parts_bytes + #payload
  if packet.received < count then return end
  parts[key], parts_bytes, parts_count = nil, parts_bytes - packet.bytes, parts_count - 1
  local bytes = table.concat(packet.payloads, "", 0, count - 1)
  if #bytes == total then whole[place] = bytes end
  return whole[place]
end

-- Returns whether bytes are a block of FastLZ: each reference is into the bytes before it.
local function is_fastlz(bytes)
  if bytes:byte(1) >= 32 then return false end
  local at, size = 1, 0
  while at <= #bytes do
    local control = bytes:byte(at)
    at = at + 1
    if control < 32 then
      at, size = at + control + 1, size + control + 1
    else
      local length, distance = math.floor(control / 32) - 1, control % 32 * 256
      if length == 6 then
        length, at = length + (bytes:byte(at) or 0), at + 1
      end
      distance, at = distance + (bytes:byte(at) or 0) + 1, at + 1
      if distance > size then return false end
      size = size + length + 3
    end
  end
  return at == #bytes + 1 and size <= 4096
end

-- Returns the name of a block's compression.
local function compression(bytes)
  if bytes == "" then return "empty" end
  if bytes:sub(1, 4) == "\x28\xb5\x2f\xfd" then return "Zstandard" end
  if bytes:byte(1) == 0x78 and #bytes > 2 and (0x7800 + bytes:byte(2)) % 31 == 0 then return "zlib" end
  return is_fastlz(bytes) and "FastLZ" or "range coder"
end

-- Returns the lengths of a command's fixed part and payload, and its number; nil if there is none.
local function command_at(bytes, at)
  local first = bytes:byte(at + 1)
  if not first or #bytes < at + 4 then return end
  local command_number = first % 16
  local command = COMMANDS[command_number]
  if not command or #bytes < at + command[2] then return end
  local length_at, length = LENGTH_AT[command_number], 0
  if length_at then length = unpack(">I2", bytes, at + length_at + 1) end
  return command[2], length, command_number
end

local function dissect_payload(tvb, pinfo, root, key, fields, texts, at)
  if fields.count then
    local bytes = reassembled(pinfo, at, key .. fields.start, fields, tvb:raw())
    local position = string.format("fragment %d of %d", fields.index + 1, fields.count)
    texts[#texts + 1] = position
    if not bytes then return end
    tvb = ByteArray.new(bytes, true):tvb("Reassembled packet")
  end
  if tvb:len() > 0 then texts[#texts + 1] = dissect_scene(tvb, pinfo, root) end
end

-- Dissects a command. Returns its length, or nil if there is none.
local function dissect_command(tvb, bytes, at, pinfo, tree, root, texts)
  local fixed, length, command_number = command_at(bytes, at)
  if not fixed then return end
  local available = math.min(length, #bytes - at - fixed)
  local item = tree:add(enet, tvb(at, fixed + available), NAMES[command_number])
  item:add(e.command, tvb(at, 1))
  item:add(e.wants_ack, tvb(at, 1))
  item:add(e.unsequenced, tvb(at, 1))
  item:add(e.channel, tvb(at + 1, 1))
  item:add(e.sequence, tvb(at + 2, 2))
  local fields = {}
  for _, field in ipairs(FIELDS[command_number]) do
    if at + field[2] + field[3] <= at + fixed then
      local range = tvb(at + field[2], field[3])
      fields[field[1]] = range:uint()
      item:add(e[field[1]], range)
    end
  end
  local channel = tvb(at + 1, 1):uint()
  if command_number == 2 then
    local _, back = connection(pinfo)
    from_servers[back] = true
    texts[#texts + 1] = "CONNECT as peer " .. tostring(fields.data)
  elseif LENGTH_AT[command_number] then
    item:append_text(string.format(", channel %d, %d bytes", channel, length))
    if available < length then
      item:add_proto_expert_info(invalid_datagram, "the datagram ends within the payload")
    elseif available > 0 then
      item:add(e.payload, tvb(at + fixed, available))
      local key = connection(pinfo) .. "/" .. channel .. "/" .. command_number .. "/"
      local payload = tvb(at + fixed, available):tvb()
      dissect_payload(payload, pinfo, root, key, fields, texts, at)
    end
  else
    texts[#texts + 1] = NAMES[command_number]
  end
  return fixed + available
end

function enet.dissector(tvb, pinfo, root)
  local bytes = tvb:raw()
  if #bytes < 2 then return 0 end
  pinfo.cols.protocol = "ENet"
  local tree = root:add(enet, tvb())
  local flags = tvb(0, 1):uint()
  local range = tvb(0, 2)
  tree:add(e.peer, range, range:uint() % 4096)
  tree:add(e.session, range, math.floor(flags / 16) % 4)
  local is_compressed = math.floor(flags / 64) % 2 == 1
  tree:add(e.is_compressed, range, is_compressed)
  local at, texts = 2, {}
  if flags >= 128 and #bytes >= 4 then
    tree:add(e.time, tvb(2, 2))
    at = 4
  end
  if is_compressed then
    local name = compression(bytes:sub(at + 1))
    texts[1] = string.format("compressed (%s), %d bytes", name, #bytes - at)
    if at < #bytes then tree:add(e.block, tvb(at), name) end
  else
    while at < #bytes do
      local size = dissect_command(tvb, bytes, at, pinfo, tree, root, texts)
      if not size then break end
      at = at + size
    end
    if at < #bytes then
      tree:add(e.rest, tvb(at))
      tree:add_proto_expert_info(invalid_datagram, "bytes after the last command")
      texts[#texts + 1] = string.format("%d bytes not decoded", #bytes - at)
    end
  end
  pinfo.cols.info = table.concat(texts, "; ")
  return tvb:len()
end

-- Returns whether a datagram consists of commands as ENet sends them.
local function is_enet(bytes)
  if #bytes < 6 then return false end
  local flags = bytes:byte(1)
  local slot = flags % 16 * 256 + bytes:byte(2)
  if math.floor(flags / 64) % 2 == 1 then return false end
  local at = flags >= 128 and 4 or 2
  while at < #bytes do
    local fixed, length, command_number = command_at(bytes, at)
    if not fixed then return false end
    local first = bytes:byte(at + 1)
    local is_disconnect = command_number == 4 and first == 0x44
    if first ~= COMMANDS[command_number][3] and not is_disconnect then return false end
    if first >= 128 and flags < 128 then return false end
    if (slot == 0xfff) ~= (command_number == 2) then return false end
    at = at + fixed + length
  end
  return at == #bytes
end

enet:register_heuristic("udp", function(tvb, pinfo, root)
  if not is_enet(tvb:raw()) then return false end
  -- Other datagrams of the connection may be compressed.
  pinfo.conversation = enet
  enet.dissector(tvb, pinfo, root)
  return true
end)

local udp_ports = DissectorTable.get("udp.port")
udp_ports:add_for_decode_as(enet)
local used_ports = ""

function enet.prefs_changed()
  if enet.prefs.ports == used_ports then return end
  if used_ports ~= "" then udp_ports:remove(used_ports, enet) end
  used_ports = enet.prefs.ports
  if used_ports ~= "" then udp_ports:add(used_ports, enet) end
end

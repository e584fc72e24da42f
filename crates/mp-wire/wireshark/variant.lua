-- Reader of bytes, and Godot's encoding of values.

local unpack = string.unpack or Struct.unpack

-- Longest text of a value, in bytes.
local TEXT_MAX = 200
-- Deepest nested value that is decoded.
local DEPTH_MAX = 64

-- Raises the error of a packet that is too short or has an invalid field. Other errors are faults
-- of this program, and Wireshark shows them.
local function malformed(reason)
  error({ malformed = reason })
end

-- Calls a function. Returns true, or false and the reason of `malformed`.
local function try(call, ...)
  local ok, failure = pcall(call, ...)
  if not ok and (type(failure) ~= "table" or not failure.malformed) then
    error(failure, 0)
  end
  return ok, not ok and failure.malformed or nil
end

local Reader = {}
Reader.__index = Reader

-- Returns a reader of a string, from byte `at` to byte `last`, counted from 1.
function Reader.new(bytes, at, last)
  return setmetatable({ bytes = bytes, at = at or 1, last = last or #bytes }, Reader)
end

-- Returns the number of bytes that are left.
function Reader:left()
  return self.last - self.at + 1
end

-- Reads `size` bytes in the format of string.unpack.
function Reader:number(format, size)
  if size > self:left() then malformed("ends within a field") end
  local number = unpack(format, self.bytes, self.at)
  self.at = self.at + size
  return number
end

function Reader:u8() return self:number("<I1", 1) end
function Reader:u16() return self:number("<I2", 2) end
function Reader:u32() return self:number("<I4", 4) end
function Reader:i32() return self:number("<i4", 4) end

-- Reads `size` bytes.
function Reader:take(size)
  if size > self:left() then malformed("ends within a field") end
  local bytes = self.bytes:sub(self.at, self.at + size - 1)
  self.at = self.at + size
  return bytes
end

-- Reads the bytes up to the next zero, or to the end.
function Reader:cstring()
  local zero = self.bytes:find("\0", self.at, true)
  local size = (zero and zero <= self.last) and zero - self.at or self:left()
  local text = self:take(size)
  self.at = math.min(self.at + 1, self.last + 1)
  return text
end

-- Returns a text without control characters, of bounded length.
local function shown(text)
  local is_cut = #text > TEXT_MAX
  text = text:sub(1, TEXT_MAX):gsub("%c", function(c)
    return string.format("\\x%02x", c:byte())
  end)
  -- A cut may split a character.
  local is_valid = not utf8 or utf8.len(text)
  if not is_valid then
    text = text:gsub("[\128-\255]", function(c) return string.format("\\x%02x", c:byte()) end)
  end
  return is_cut and text .. "…" or text
end

-- Returns bytes as text if all are printable, else in hexadecimal.
local function shown_bytes(bytes)
  local part = bytes:sub(1, 32)
  local text
  if part:find("^[\32-\126]*$") then
    text = '"' .. part .. '"'
  else
    text = part:gsub(".", function(c) return string.format("%02x", c:byte()) end)
  end
  return #part < #bytes and text .. "…" or text
end

-- Reads a length and as many bytes, with the padding to a multiple of four.
local function padded(r)
  local size = r:u32()
  local bytes = r:take(size)
  r:take((4 - size % 4) % 4)
  return bytes
end

local function components(r, count, is_wide)
  local parts = {}
  for at = 1, count do
    local number = is_wide and r:number("<d", 8) or r:number("<f", 4)
    parts[at] = string.format("%.6g", number)
  end
  return table.concat(parts, ", ")
end

local function integers(r, count)
  local parts = {}
  for at = 1, count do parts[at] = tostring(r:i32()) end
  return table.concat(parts, ", ")
end

-- Types with components, by number: name, number of components, and whether they are integers.
local VECTORS = {
  [5] = { "Vector2", 2 }, [6] = { "Vector2i", 2, true }, [7] = { "Rect2", 4 },
  [8] = { "Rect2i", 4, true }, [9] = { "Vector3", 3 }, [10] = { "Vector3i", 3, true },
  [11] = { "Transform2D", 6 }, [12] = { "Vector4", 4 }, [13] = { "Vector4i", 4, true },
  [14] = { "Plane", 4 }, [15] = { "Quaternion", 4 }, [16] = { "AABB", 6 }, [17] = { "Basis", 9 },
  [18] = { "Transform3D", 12 }, [19] = { "Projection", 16 },
}

-- Packed arrays by number: name, and size of an element in bytes, with wide components.
local PACKED = {
  [29] = { "PackedByteArray", 1, 1 }, [30] = { "PackedInt32Array", 4, 4 },
  [31] = { "PackedInt64Array", 8, 8 }, [32] = { "PackedFloat32Array", 4, 4 },
  [33] = { "PackedFloat64Array", 8, 8 }, [35] = { "PackedVector2Array", 8, 16 },
  [36] = { "PackedVector3Array", 12, 24 }, [37] = { "PackedColorArray", 16, 16 },
  [38] = { "PackedVector4Array", 16, 32 },
}

-- Skips the type of an array's elements.
local function element_type(r, kind)
  if kind == 1 then
    r:u32()
  elseif kind > 1 then
    padded(r)
  end
end

local function node_path(r)
  local names = r:u32()
  if names < 0x80000000 then malformed("invalid NodePath") end
  names = names - 0x80000000
  local subnames, flags = r:u32(), r:u32()
  if math.floor(flags / 2) % 2 == 1 then subnames = subnames + 1 end
  local text = flags % 2 == 1 and "/" or ""
  for at = 1, names do text = shown(text .. (at > 1 and "/" or "") .. padded(r)) end
  for _ = 1, subnames do text = shown(text .. ":" .. padded(r)) end
  return '^"' .. text .. '"'
end

-- Joins texts up to the longest text of a value.
local function append(text, part)
  if #text > TEXT_MAX then return text end
  return text == "" and part or text .. ", " .. part
end

-- Reads a value (var_to_bytes). Returns its text.
local function value(r, depth)
  if depth > DEPTH_MAX then malformed("nested too deeply") end
  local header = r:u32()
  local kind, flags = header % 256, math.floor(header / 65536)
  local is_wide = flags % 2 == 1
  if VECTORS[kind] then
    local name, count, is_integer = VECTORS[kind][1], VECTORS[kind][2], VECTORS[kind][3]
    local parts = is_integer and integers(r, count) or components(r, count, is_wide)
    return name .. "(" .. parts .. ")"
  elseif PACKED[kind] then
    local name, size = PACKED[kind][1], PACKED[kind][is_wide and 3 or 2]
    local count = r:u32()
    local bytes = r:take(count * size)
    if kind == 29 then
      r:take(math.min((4 - count % 4) % 4, r:left()))
      return name .. "(" .. shown_bytes(bytes) .. ")"
    end
    return string.format("%s(%d elements)", name, count)
  elseif kind == 0 then
    return "null"
  elseif kind == 1 then
    return r:u32() ~= 0 and "true" or "false"
  elseif kind == 2 then
    return tostring(is_wide and r:number("<i8", 8) or r:i32())
  elseif kind == 3 then
    return components(r, 1, is_wide)
  elseif kind == 4 then
    return '"' .. shown(padded(r)) .. '"'
  elseif kind == 20 then
    return "Color(" .. components(r, 4, false) .. ")"
  elseif kind == 21 then
    return '&"' .. shown(padded(r)) .. '"'
  elseif kind == 22 then
    return node_path(r)
  elseif kind == 23 then
    r:take(8)
    return "RID"
  elseif kind == 24 then
    if is_wide then
      r:take(8)
      return "Object"
    end
    local class, text = shown(padded(r)), ""
    for _ = 1, class == "" and 0 or r:u32() do
      local name = shown(padded(r))
      text = append(text, name .. ": " .. value(r, depth + 1))
    end
    return class .. "{" .. shown(text) .. "}"
  elseif kind == 25 then
    return "Callable"
  elseif kind == 26 then
    local name = shown(padded(r))
    r:take(8)
    return "Signal(" .. name .. ")"
  elseif kind == 27 then
    element_type(r, flags % 4)
    element_type(r, math.floor(flags / 4) % 4)
    local text = ""
    for _ = 1, r:u32() % 0x80000000 do
      local key = value(r, depth + 1)
      text = append(text, key .. ": " .. value(r, depth + 1))
    end
    return "{" .. shown(text) .. "}"
  elseif kind == 28 then
    element_type(r, flags % 4)
    local text = ""
    for _ = 1, r:u32() % 0x80000000 do text = append(text, value(r, depth + 1)) end
    return "[" .. shown(text) .. "]"
  elseif kind == 34 then
    local text = ""
    for _ = 1, r:u32() do text = append(text, '"' .. shown(padded(r):gsub("\0$", "")) .. '"') end
    return "[" .. shown(text) .. "]"
  end
  return malformed(string.format("unknown type %d of a value", kind))
end

-- Formats and sizes of compressed integers, by the upper two bits of the first byte.
local INTEGERS = { [0] = { "<i1", 1 }, { "<i2", 2 }, { "<i4", 4 }, { "<i8", 8 } }

-- Reads a compressed value, as in packets of SceneMultiplayer. Returns its text.
local function compressed_value(r)
  if r:left() < 1 then malformed("ends before a value") end
  local first = r.bytes:byte(r.at)
  local kind = first % 64
  if kind == 1 then
    r:u8()
    return first >= 128 and "true" or "false"
  elseif kind == 2 then
    r:u8()
    local integer = INTEGERS[math.floor(first / 64)]
    return tostring(r:number(integer[1], integer[2]))
  end
  return value(r, 0)
end

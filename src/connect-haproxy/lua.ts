/**
 * What HAProxy does for the mesh that it cannot by itself, in Lua 5.3: it knows a peer by the one URI in its certificate, not by its names.
 *
 * - `tcp-request content lua.mesh_admit` sets `sess.mesh_verdict` to `allow` or `deny` and `sess.mesh_source` to the peer's URI, by a map from
 *   services (see `accessKey`) to verdicts, in which `*` stands for all others.
 * - `filter lua.mesh_identity <uri>` lets nothing pass either way until the server has shown that it has this identity; else the
 *   connection ends. It takes itself off then.
 * - The command `show mesh` of the runtime interface lists open connections that were admitted: the client's address and port, and its key.
 *
 * Who is refused is a line of the log, which ./refusals.ts reads: `mesh-denied <address> <serial> <uri>` and `mesh-stranger <uri> <expected uri>`.
 *
 * Every error in here ends the connection that it happened to. The process ends once nobody listens on MESH_ALIVE any more: without whoever
 * leads it, nobody would tell it of a deny.
 */
export const MESH_LUA = String.raw`
local access = Map.new(os.getenv('MESH_ACCESS'), Map._str)
local trust_domain = os.getenv('MESH_TRUST_DOMAIN')
local alive = os.getenv('MESH_ALIVE')
local open = setmetatable({}, { __mode = 'v' })

-- One DER value: its tag, where its content begins and ends. Lengths of more than 3 bytes are not read.
local function value_at(der, at, last)
  local tag, length = der:byte(at, at + 1)
  if not length then error('certificate is cut off', 0) end
  local first = at + 2
  if length > 128 and length <= 131 then
    local digits = length - 128
    length = 0
    for offset = 0, digits - 1 do length = length * 256 + (der:byte(first + offset) or error('certificate is cut off', 0)) end
    first = first + digits
  elseif length >= 128 then
    error('certificate has a length that is not read', 0)
  end
  if first + length - 1 > last then error('certificate is cut off', 0) end
  return tag, first, first + length - 1
end

local function enter(der, at, last, wanted)
  local tag, first, ends = value_at(der, at, last)
  if tag ~= wanted then error('certificate is not as expected', 0) end
  return first, ends
end

local ALT_NAMES = '\x55\x1d\x11'

-- The one URI among a certificate's names; nil if there is none, or more than one.
local function uri_of(der)
  local first, last = enter(der, 1, #der, 0x30)
  first, last = enter(der, first, last, 0x30)
  local uri, count = nil, 0
  while first <= last do
    local tag, from, to = value_at(der, first, last)
    if tag == 0xa3 then
      local at, ends = enter(der, from, to, 0x30)
      while at <= ends do
        local extension, extension_ends = enter(der, at, ends, 0x30)
        local oid, oid_ends = enter(der, extension, extension_ends, 0x06)
        if der:sub(oid, oid_ends) == ALT_NAMES then
          local content_tag, content, content_ends = value_at(der, oid_ends + 1, extension_ends)
          if content_tag == 0x01 then content_tag, content, content_ends = value_at(der, content_ends + 1, extension_ends) end
          if content_tag ~= 0x04 then error('certificate is not as expected', 0) end
          local name, names_end = enter(der, content, content_ends, 0x30)
          while name <= names_end do
            local name_tag, name_first, name_last = value_at(der, name, names_end)
            if name_tag == 0x86 then
              uri = der:sub(name_first, name_last)
              count = count + 1
            end
            name = name_last + 1
          end
        end
        at = extension_ends + 1
      end
    end
    first = to + 1
  end
  if count == 1 then return uri end
  return nil
end

-- The key of a service in the map, from its identity; nil if that is not of a service of this mesh.
local function key_of(uri)
  if not uri or uri:find('[%c%s]') then return nil end
  local domain, service = uri:match('^spiffe://([^/?#]+)/ns/default/dc/[^/?#]+/svc/([^/?#]+)$')
  if not domain or domain:lower() ~= trust_domain then return nil end
  if service:gsub('%%%x%x', ''):find('%%') then return nil end
  local name = service:gsub('%%(%x%x)', function(digits) return string.char(tonumber(digits, 16)) end)
  return '=' .. name:gsub('[^%w._-]', function(character) return string.format('%%%02X', character:byte()) end)
end

-- One word of a line of the log.
local function word(text)
  if not text or text == '' then return '-' end
  return (text:sub(1, 256):gsub('[^%g]', '?'))
end

local function deny(txn, uri)
  local serial = (txn.f:ssl_c_serial() or ''):gsub('.', function(byte) return string.format('%02x', byte:byte()) end)
  core.Info('mesh-denied ' .. txn.f:src() .. ':' .. txn.f:src_port() .. ' ' .. word(serial) .. ' ' .. word(uri))
end

core.register_action('mesh_admit', { 'tcp-req' }, function(txn)
  txn:set_var('sess.mesh_verdict', 'deny')
  local fine, uri = pcall(uri_of, txn.f:ssl_c_der() or '')
  if not fine then uri = nil end
  txn:set_var('sess.mesh_source', uri and uri:sub(1, 256) or 'no identity')
  local key = key_of(uri)
  if not key then return deny(txn, uri) end
  -- Listed before it is judged: whoever changes the map afterwards finds it.
  local one = { key = key, from = txn.f:src() .. ':' .. txn.f:src_port() }
  open[one.from] = one
  txn:set_priv(one)
  local verdict = access:lookup(key) or access:lookup('*') or 'deny'
  txn:set_var('sess.mesh_verdict', verdict)
  if verdict ~= 'allow' then deny(txn, uri) end
end)

core.register_cli({ 'show', 'mesh' }, 'show mesh : connections that were admitted', function(applet)
  for _, one in pairs(open) do applet:send(one.from .. ' ' .. one.key .. '\n') end
end)

local Identity = { id = 'mesh_identity', flags = 0 }
Identity.__index = Identity

function Identity:new()
  return setmetatable({ expected = self.expected, known = false }, Identity)
end

function Identity:start_analyze(txn, channel)
  filter.register_data_filter(self, channel)
end

function Identity:tcp_payload(txn, channel)
  if not self.known then
    local der = txn.f:ssl_s_der()
    -- The handshake is not over: what came waits.
    if not der then return 0 end
    local uri = uri_of(der)
    if not uri or uri:lower() ~= self.expected then
      core.Info('mesh-stranger ' .. word(uri) .. ' ' .. word(self.expected))
      error('the server is ' .. (uri or 'nobody of the mesh') .. ', not ' .. self.expected, 0)
    end
    self.known = true
  end
  filter.unregister_data_filter(self, channel)
end

core.register_filter('mesh_identity', Identity, function(identity, args)
  identity.expected = args[1]:lower()
  return identity
end)

core.register_task(function()
  while true do
    local socket = core.tcp()
    socket:settimeout(3600)
    if not socket:connect('unix@' .. alive) then os.exit(3) end
    socket:receive('*l')
    socket:close()
  end
end)
`

-- What a device written here keeps in its `state` goes with snapshots: 50 random stops, there and back, and equal hashes.
local st = { sum = 0, half = 0.5, last = "none", on = true, log = { n = 0, [1] = 7 }, [3] = { 1, 2, 3 } }
local log = st.log
local m = isomer.machine {
  isa = "riscv64", ram = "16M",
  devices = {
    isomer.device {
      name = "mill", base = 0x10100000, size = 0x1000, state = st,
      read = function(offset) return st.sum + offset end,
      write = function(_, _, value)
        st.sum = (st.sum * 31 + value) & 0xffffffff
        st.half = st.sum / 2
        st.last = ("%x"):format(value)
        st.on = not st.on
        st.log.n = st.log.n + 1
        st.log[st.log.n % 5] = value
        st[3] = st.log.n % 7 ~= 0 and { value, st[3] and st[3][1] } or nil
        if value % 11 == 0 then st.extra = { deep = { er = value } } else st.extra = nil end
      end,
    },
  },
  code = [[
    lui s0, 0x10100
  loop:
    addi t0, t0, 1
    sw t0, 0(s0)
    lw t1, 4(s0)
    xor a0, a0, t1
    slli t2, a0, 9
    xor a0, a0, t2
    jal zero, @loop
  ]],
}
for i = 1, 50 do
  m:run(isomer.rand(1, 20000))
  local here, at, way = m:snapshot(), m:hash(), isomer.rand(1, 20000)
  local sum, n = st.sum, st.log.n
  m:run(way)
  local there = m:hash()
  isomer.check(way < 20 or there ~= at)
  m:restore(here)
  isomer.check(m:hash() == at and st.sum == sum and st.log.n == n, "restored")
  m:run(way)
  isomer.check(m:hash() == there, "the same way leads to another state")
  if i % 10 == 0 then m:restore(here) end
end
isomer.check(st.log == log and log.n > 1000, "the tables are the same ones")

-- A change by the script is a change of state, whatever the order in which it is made; so is the type of a number.
local s, h = m:snapshot(), m:hash()
st.one, st.two = 1, 2
local both = m:hash()
st.one, st.two = nil, nil
isomer.check(m:hash() == h and both ~= h)
st.two, st.one = 2, 1
isomer.check(m:hash() == both)
st.one = 1.0
isomer.check(m:hash() ~= both)
m:restore(s)
isomer.check(m:hash() == h and st.one == nil)

-- A reset makes it what it was when the machine was made.
m:boot()
isomer.check(st.sum == 0 and st.half == 0.5 and st.last == "none" and st.on == true and st.extra == nil)
isomer.check(st.log == log and log.n == 0 and log[1] == 7 and #st[3] == 3)

-- What cannot be kept is refused when it would have to be.
local function refused(value, why)
  st.log.bad = value
  for _, f in ipairs { m.snapshot, m.hash } do
    local ok, message = pcall(f, m)
    isomer.check(not ok and message:find(why, 1, true), message)
  end
  st.log.bad = nil
end
refused(print, "device 'mill': state.log.bad is function: a state holds")
refused({ [2] = coroutine.create(print) }, "device 'mill': state.log.bad[2] is thread")
refused(m, "device 'mill': state.log.bad is userdata")
refused(st, "device 'mill': state.log.bad is a table that is already elsewhere in it")
refused(setmetatable({}, {}), "device 'mill': state.log.bad is a table with a metatable")
refused({ [{}] = 1 }, "device 'mill': state.log.bad is a table with a table as a key")
local deep = {}
for _ = 1, 40 do deep = { deep } end
refused(deep, "is nested too deep")
m:snapshot()

-- Tasks that wait at the same time: each is resumed at its own point, always in the same order, and the guest sees none of it.
local config = {
  isa = "riscv64", ram = "16M",
  code = [[
    auipc s0, 1
    lui s1, 0x10000
    li a0, 65
  loop:
    addi t0, t0, 1
    sd t0, 0(s0)
    andi t1, t0, 1023
    bnez t1, @loop
  tick:
    sb a0, 0(s1)
    addi a0, a0, 1
    jal zero, @loop
  ]],
}

local function run(watched)
  local m, log = isomer.machine(config), {}
  local function note(who) log[#log + 1] = who .. "@" .. m.insns end
  local clock = isomer.task("clock", function()
    for _ = 1, 3 do
      m:run("100us")
      note("clock")
    end
    return "three", 3
  end)
  local reader = isomer.task("reader", function()
    for letter in ("ABC"):gmatch(".") do
      m.console:expect(letter)
      note(letter)
    end
    local word, n = clock:join()
    isomer.check(word == "three" and n == 3, "what it returned")
    note("reader")
  end)
  local watcher = watched and isomer.task("watcher", function()
    for i = 1, 1 << 30 do
      m:run_until("tick")
      isomer.check(m.cpu[1].x.t0 == 1024 * i, "at every tick")
    end
  end)
  isomer.check(clock.name == "clock" and not clock.done)
  m:run(10)
  note("script")
  reader:join()
  isomer.check(clock.done and reader.done)
  m:run("50us")
  note("script")
  if watcher then watcher:stop() end
  return m:hash(), table.concat(log, " ")
end

local hash, log = run(false)
isomer.check(log == "script@10 clock@10000 clock@20000 clock@30000 A@100000 B@100000 C@100000 reader@100000 script@105000", log)
local again, same = run(true)
isomer.check(log == same and hash == again, "who watches changes nothing")

-- A callback may start a task, which then does what the callback could not.
local m = isomer.machine(config)
local late
m:tap { exec = "tick", call = function()
  late = late or isomer.task("late", function()
    local at = m.insns
    m:step(3)
    return at, m:snapshot()
  end)
end }
m:run("1ms")
local at = late:join()
isomer.check(at == 3 + 4 * 1024 + 1, "it began behind that instruction: " .. at)

-- Two machines: neither runs ahead of the other by more than a virtual millisecond.
local left, right = isomer.machine(config), isomer.machine(config)
local far = 0
local l = isomer.task("left", function()
  for _ = 1, 100 do
    left:run("100us")
    far = math.max(far, math.abs(left.now - right.now))
  end
end)
right:run("10ms")
l:join()
isomer.check(left.now == 10000000 and right.now == 10000000 and far <= 1000000, far)

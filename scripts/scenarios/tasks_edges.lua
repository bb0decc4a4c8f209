-- Edges of tasks: an error caught inside one, values closed at a stop, a restore under those who wait, a breakpoint, 200 at once.
local m = isomer.machine { isa = "riscv64", ram = "16M", code = "stop:\n addi t0, t0, 1\n jal zero, @stop" }
local closed = 0
local a = isomer.task("a", function()
  local ok, why = pcall(m.console.expect, m.console, "x", { within = "2ms" })
  isomer.check(not ok and why:find("did not come"), why)
  return ok, why
end)
local b = isomer.task("b", function()
  local c <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
  while true do m:run("1ms") collectgarbage() end
end)
local s = m:snapshot()
local back = isomer.task("back", function() m:run("1ms") m:restore(s) return m.now end)
m:run("5ms")
isomer.check(m.now == 5000000)
isomer.check(back:join() == 0)
local ok, why = a:join()
isomer.check(ok == false and why)
b:stop() b:stop()
isomer.check(closed == 1)

-- A breakpoint ends every wait.
local e = isomer.task("e", function() return m:run("1s") end)
local u = isomer.task("u", function() return pcall(m.run_until, m, 0x80001000) end)
local bp = m:breakpoint { at = "stop" }
isomer.check(m:run() == "break")
isomer.check(e:join() == "break")
local reached, unreached = u:join()
isomer.check(not reached and unreached:find("a breakpoint was reached before"), unreached)

-- The script itself may wait in coroutines of its own.
local co = coroutine.wrap(function() m:untap(bp) m:run(4) coroutine.yield(m.insns) m:run(4) return m.insns end)
local i, j = co(), co()
isomer.check(j - i == 4)

-- Many at once.
local n = 0
local ts = {}
for k = 1, 200 do ts[k] = isomer.task("t" .. k, function() for _ = 1, 20 do m:run(isomer.rand(1, 50)) n = n + 1 end end) end
for _, t in ipairs(ts) do t:join() end
isomer.check(n == 4000)

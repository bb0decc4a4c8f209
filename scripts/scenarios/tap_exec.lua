-- Execute taps count how often a place is reached; breakpoints stop in front of it.
local m = isomer.machine {
  isa = "riscv64", ram = "16M", code = [[
    li t0, 10
  loop:
    addi t0, t0, -1
    bnez t0, @loop
  done:
    jal zero, @done
  ]],
}
local n = 0
local tap = m:tap { exec = "loop", call = function() n = n + 1 end }
local stop = m:breakpoint { at = "done" }
isomer.check(m:run("1ms") == "break")
isomer.check(n == 10, "reached " .. n .. " times")
isomer.check(m.cpu[1].pc == m:symbol("done"))
m:untap(tap)
m:untap(stop)
isomer.check(m:run(1000) == "insns" and n == 10)

-- A tap may send the program elsewhere; coroutines can wait; a callback's error does not leave a breakpoint behind.
m.cpu[1].pc = m:symbol("loop") - 4
m:tap { exec = "loop", call = function() m.cpu[1].pc = m:symbol("done") end }
isomer.check(m:run(10) == "insns" and m.cpu[1].x.t0 == 10, "the loop was left out")
local waiting = coroutine.wrap(function()
  coroutine.yield(m:run(5))
  return m:run("1us")
end)
isomer.check(waiting() == "insns" and waiting() == "time")
m.cpu[1].pc = m:symbol("loop") - 4
local fail = m:tap { exec = m:symbol("loop") - 4, call = function() isomer.fail("here") end }
isomer.check(not pcall(m.run_until, m, "done"))
m:untap(fail)
isomer.check(m:run(100) == "insns", "no breakpoint is left")

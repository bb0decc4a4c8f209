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

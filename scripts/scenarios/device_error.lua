-- An error inside a device's callback fails the run that caused it, at the instruction that caused it.
local m = isomer.machine {
  isa = "riscv64", ram = "16M",
  devices = { isomer.device { name = "trap", base = 0x10100000, size = 0x1000, write = function() isomer.fail("touched") end } },
  code = [[
    lui t0, 0x10100
    li a0, 1
    sw a0, 0(t0)
    li a0, 2
  done:
    jal zero, @done
  ]],
}
local ok, why = pcall(m.run, m, "1ms")
isomer.check(not ok and tostring(why):find("touched"), why)
isomer.check(m.insns == 3 and m.cpu[1].x.a0 == 1, "it ended right behind the store")
m:run_until("done")
isomer.check(m.cpu[1].x.a0 == 2, "and can go on")

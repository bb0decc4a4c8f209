-- A device written here: a bare program doubles numbers with it.
local input, resets = 0, 0
local m = isomer.machine {
  isa = "riscv64", ram = "16M",
  devices = {
    isomer.device {
      name = "doubler", base = 0x10100000, size = 0x1000, irq = 20,
      read = function(offset, size)
        isomer.check(size == 4)
        return offset == 0 and 2 * input or 0xd0
      end,
      write = function(offset, _, value) if offset == 0 then input = value end end,
      reset = function() resets = resets + 1 end,
    },
  },
  code = [[
    lui t0, 0x10100
    li a0, 21
    sw a0, 0(t0)
    lw a1, 0(t0)
    lw a2, 4(t0)
  done:
    jal zero, @done
  ]],
}
m:run_until("done")
isomer.check(m.cpu[1].x.a1 == 42 and m.cpu[1].x.a2 == 0xd0)
isomer.check(resets >= 1, "reset was called at boot")
isomer.check(m:u32(0x10100000, nil, "phys") == 42, "the script reaches it too")

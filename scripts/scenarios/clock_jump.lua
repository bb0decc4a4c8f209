-- The clock jumps an hour ahead: a timer far in the future fires, and no instruction was needed for it.
local m = isomer.machine {
  isa = "riscv64", ram = "16M", code = [[
    lui t1, 0x2004
    lui t2, 0x20000        # 53 seconds and more of ticks
    sd t2, 0(t1)
    li t3, 128
    csrw mie, t3
  loop:
    rdtime a0
    csrr a1, mip
    jal zero, @loop
  ]],
}
m:run(1000)
isomer.check(m.cpu[1].x.a1 == 0 and m.cpu[1].x.a0 < 1000)
local before = m.insns
m:advance("60m")
m:run(10)
isomer.check(m.cpu[1].x.a0 >= 3600 * 10000000, "the counter jumped")
isomer.check(m.cpu[1].x.a1 == 128, "the timer interrupt is pending")
isomer.check(m.insns == before + 10)

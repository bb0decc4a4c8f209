-- RAM behind the program survives a reset, devices and processors do not: the second pass sees the mark of the first.
local m = isomer.machine {
  isa = "riscv64", ram = "16M",
  code = [[
    auipc s0, 0x100
    lui t0, 0x100           # the finisher
    lui s1, 0x10000         # the UART
    lbu s2, 7(s1)           # its scratch register
    lw t3, 0(s0)
    bnez t3, @second
    li t4, 1
    sw t4, 0(s0)
    sb t4, 7(s1)
    lui t1, 7
    addi t1, t1, 0x777
    sw t1, 0(t0)            # reset
  stop:
    jal zero, @stop
  second:
    lui t1, 5
    addi t1, t1, 0x555
    sw t1, 0(t0)            # power off
    jal zero, @stop
  ]],
}
local mark = m.cpu[1].pc + 0x100000
isomer.check(m:run("1ms") == "end" and m.ended == "reset", m.ended)
isomer.check(m:u32(mark) == 1 and m.cpu[1].x.s2 == 0)
m:boot()
isomer.check(m.ended == nil and m.cpu[1].x.t4 == 0)
isomer.check(m:run("1ms") == "end" and m.ended == "poweroff" and m.code == 0, m.ended)
isomer.check(m.cpu[1].x.s2 == 0, "the UART was reset")

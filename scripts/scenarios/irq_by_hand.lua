-- An interrupt raised by hand reaches the processor through the interrupt controller.
local CODE = [[
    auipc t0, 0
    addi t0, t0, 76
    csrw mtvec, t0
    lui t1, 0xc000         # the interrupt controller: priority of source 30
    li t2, 1
    sw t2, 120(t1)
    lui t3, 0xc002         # enable it for hart 0, machine mode
    lui t4, 0x40000
    sw t4, 0(t3)
    lui t5, 0xc200         # threshold 0
    sw zero, 0(t5)
    lui t6, 1
    addi t6, t6, -2048
    csrw mie, t6
    csrsi mstatus, 8
    li a0, 0
  idle:
    wfi
    jal zero, @idle
    nop
  handler:
    lui t5, 0xc200
    lw a1, 4(t5)           # claim
    addi a0, a0, 1
    sw a1, 4(t5)           # complete
    mret
]]
local m = isomer.machine { isa = "riscv64", ram = "16M", code = CODE }
isomer.check(m:run() == "idle", "nothing would ever wake it")
isomer.check(m.cpu[1].x.a0 == 0)
m:irq(30, true)
m:breakpoint { at = "handler", call = function() end }
m:run(3)
m:irq(30, false)
isomer.check(m:run() == "idle")
isomer.check(m.cpu[1].x.a0 == 1, "taken " .. m.cpu[1].x.a0 .. " times")
isomer.check(m.cpu[1].x.a1 == 30, "source " .. m.cpu[1].x.a1)

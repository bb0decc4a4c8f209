-- 50 random stop points: a snapshot, some way on, back, the same way again: equal state.
local m = isomer.machine {
  isa = "riscv64", ram = "16M", code = [[
    auipc s0, 16
    auipc t6, 0
    addi t6, t6, 88
    csrw mtvec, t6
    lui s2, 0x2004
    li t3, 128
    csrw mie, t3
    li t2, 50
    sd t2, 0(s2)
    csrsi mstatus, 8
  loop:
    rdtime t0
    xor t1, t1, t0
    slli t3, t1, 13
    xor t1, t1, t3
    srli t3, t1, 7
    xor t1, t1, t3
    slli t4, t1, 40
    srli t4, t4, 42
    slli t4, t4, 3
    add t4, t4, s0
    sd t1, 0(t4)
    jal zero, @loop
    nop
  handler:
    rdtime t5
    addi t5, t5, 37        # every 3.7 microseconds
    sd t5, 0(s2)
    addi a0, a0, 1
    mret
  ]],
}
isomer.check((m:symbol("handler") - m.cpu[1].pc - 4) == 88)
for _ = 1, 50 do
  m:run(isomer.rand(1, 200000))
  local s, way = m:snapshot(), isomer.rand(1, 100000)
  m:run(way)
  local there = m:hash()
  m:restore(s)
  m:run(way)
  isomer.check(m:hash() == there, "the same way leads to another state")
  m:restore(s)
  m:run(way // 3)
  m:run(way - way // 3)
  isomer.check(m:hash() == there, "a stop on the way changes where it leads")
end
isomer.check(m.cpu[1].x.a0 > 1000, "timer interrupts came: " .. m.cpu[1].x.a0)

-- Registers by name, single steps, the disassembler, assignments from outside.
local m = isomer.machine {
  isa = "riscv64", ram = "16M", code = [[
    li a0, 5
    li a1, 7
    add a2, a0, a1
    mul a3, a2, a2
  stop:
    jal zero, @stop
  ]],
}
local cpu = m.cpu[1]
isomer.check(cpu:disassemble() == "li a0, 5", cpu:disassemble())
m:step(2)
isomer.check(cpu.x.a0 == 5 and cpu.x.a1 == 7)
cpu.x.a0 = 35
m:step()
isomer.check(cpu.x.a2 == 42)
isomer.check(m.insns == 3 and cpu.insns == 3 and m.now == 30, "three instructions of 10 ns")
cpu.pc = cpu.pc - 4
m:step(2)
isomer.check(cpu.x.a3 == 42 * 42)
isomer.check(cpu.sys.mhartid == 0 and cpu.sys.mstatus ~= nil)
isomer.check(not pcall(function() return cpu.x.nonsense end), "an unknown register is an error")
isomer.check(not pcall(function() cpu.x.zero = 1 end), "zero cannot be set")
local counted = cpu.counters
isomer.check(counted.decode_misses >= 5 and counted.page_walks ~= nil, "what the processor counted")

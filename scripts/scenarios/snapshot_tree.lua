-- Snapshots in any order: every one gives back what it held, forwards and backwards.
local m = isomer.machine {
  isa = "riscv64", ram = "16M", code = [[
    auipc s0, 1
    li t0, 0
  loop:
    sd t0, 0(s0)
    addi t0, t0, 1
    slli t1, t0, 8
    add t1, t1, s0
    sd t0, 0(t1)
    jal zero, @loop
  ]],
}
local data = m.cpu[1].pc + 0x1000
local list = {}
for i = 1, 12 do
  m:run(isomer.rand(100, 3000))
  list[i] = { snap = m:snapshot(), hash = m:hash(), insns = m.insns, word = m:u64(data) }
end
for _ = 1, 60 do
  local s = list[isomer.rand(1, #list)]
  m:restore(s.snap)
  isomer.check(m:hash() == s.hash and m.insns == s.insns and m:u64(data) == s.word)
  m:run(isomer.rand(1, 5000))
  isomer.check(m:hash() ~= s.hash)
end

-- Something corrupts a word that nobody should touch. Snapshots on the way, then bisection: the guilty store is found.
local m = isomer.machine {
  isa = "riscv64", ram = "16M", code = [[
    auipc s0, 16
    addi s1, s0, 1024      # the word that must stay 0
    li t0, 0
    lui t2, 7
    addi t2, t2, 1234      # iteration of the crime
  loop:
    andi t1, t0, 127
    slli t1, t1, 3
    add t1, t1, s0
    sd t0, 0(t1)
    addi t0, t0, 1
    bne t0, t2, @loop
  crime:
    sd t0, 0(s1)
    jal zero, @loop
  ]],
}
local word = m.cpu[1].pc + 0x10000 + 1024
local function corrupt() return m:u64(word) ~= 0 end
local snaps = { m:snapshot() }
for i = 2, 16 do
  m:run(20000)
  snaps[i] = m:snapshot()
end
isomer.check(corrupt(), "the crime happened")
local low, high = 1, #snaps
while high - low > 1 do
  local mid = (low + high) // 2
  m:restore(snaps[mid])
  if corrupt() then high = mid else low = mid end
end
m:restore(snaps[low])
isomer.check(not corrupt())
local guilty
m:tap { write = word, size = 8, call = function(a) guilty = a.pc end }
m:run(20000)
isomer.check(guilty == m:symbol("crime"), "found at " .. m:where(guilty or 0))

-- A tap finds the one store among thousands that hits a word, and replaces what it writes.
local m = isomer.machine {
  isa = "riscv64", ram = "16M", code = [[
    auipc s0, 1            # a table 4 KiB behind
    li t0, 0
    li t1, 500
  fill:
    slli t2, t0, 3
    add t2, t2, s0
    sd t0, 0(t2)
    addi t0, t0, 1
    blt t0, t1, @fill
  done:
    jal zero, @done
  ]],
}
local base = m:symbol("fill") - 12 + 0x1000
local seen = {}
m:tap {
  write = base + 8 * 321, size = 8,
  call = function(a)
    seen[#seen + 1] = a
    a.value = 0xdead
  end,
}
m:run_until("done", { within = "1ms" })
isomer.check(#seen == 1, #seen .. " stores were caught")
isomer.check(seen[1].kind == "write" and seen[1].size == 8 and seen[1].addr == base + 8 * 321)
isomer.check(seen[1].pc == m:symbol("fill") + 8, m:where(seen[1].pc))
isomer.check(m:u64(base + 8 * 321) == 0xdead)
isomer.check(m:u64(base + 8 * 320) == 320 and m:u64(base + 8 * 322) == 322)
isomer.check(m.insns == 3 + 500 * 5, "a tap changes no count")
